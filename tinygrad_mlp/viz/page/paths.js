// The chain rule on the drawn graph: how many paths lead from the output to a node, what their products add up to, and
// which are largest. Every walk follows `graph.order`, in which a node comes after all that use it, so that each takes
// time linear in the graph.

/** A graph's records with what the walks need: edges by their source and by their target, an order, the outputs. */
function indexed({ nodes, edges, clusters }) {
  const graph = { nodes: new Map(), edges: new Map(), clusters, users: new Map(), inputs: new Map(), order: [] };
  for (const node of nodes) {
    graph.nodes.set(node.key, { ...node, number: numeric(node.number), slope: numeric(node.slope) });
    graph.users.set(node.key, []);
    graph.inputs.set(node.key, []);
  }
  for (const record of edges) {
    const edge = { ...record, local: numeric(record.local), flow: numeric(record.flow) };
    graph.edges.set(edge.key, edge);
    graph.users.get(edge.source).push(edge);
    graph.inputs.get(edge.target).push(edge);
  }
  const waiting = new Map(nodes.map(({ key }) => [key, graph.users.get(key).length]));
  const ready = nodes.map(({ key }) => key).filter((key) => !waiting.get(key));
  const sinks = new Set(ready);
  while (ready.length) {
    const key = ready.shift();
    graph.order.push(key);
    for (const { source } of graph.inputs.get(key)) {
      waiting.set(source, waiting.get(source) - 1);
      if (!waiting.get(source)) ready.push(source);
    }
  }
  const outputs = nodes.filter(({ key, kind }) => kind === "output" && sinks.has(key)).map(({ key }) => key);
  graph.outputs = outputs.length ? outputs : nodes.slice(0, 1).map(({ key }) => key);
  return graph;
}

/** A number of the records: nan and the infinities travel as words, which JSON has no numbers for. */
function numeric(x) {
  return x === null ? null : Number(x);
}

/** The edges along which a gradient reaches the node `key`; where none does, all edges from it. */
function ways(graph, key) {
  const users = graph.users.get(key);
  const flowing = users.filter(({ local, flow }) => local !== null || flow !== null);
  return flowing.length ? flowing : users;
}

/** The keys of all nodes that depend on `key`, itself among them. */
function dependents(graph, key) {
  const found = new Set([key]);
  for (const at of found) for (const { target } of ways(graph, at)) found.add(target); // a Set grows as it is read
  return found;
}

/**
 * What the paths from the outputs to the node `key` are: their nodes and edges, their number, the sum of the products
 * of local derivatives, the sum of the products' magnitudes, and the `most` largest ones.
 *
 * `known` is false where a local derivative on some path is unknown, or where a path leads through several nodes shown as
 * one; the sums then mean nothing.
 */
function pathsTo(graph, key, most = 5) {
  const on = dependents(graph, key);
  const at = new Map();
  const edges = [];
  let known = true;
  for (const node of graph.order.filter((name) => on.has(name))) {
    const here = { count: 0n, sum: 0, size: 0, best: [] };
    if (graph.outputs.includes(node)) {
      const seed = graph.nodes.get(node).slope ?? 1; // the gradient that backward() started from
      Object.assign(here, { count: 1n, sum: seed, size: Math.abs(seed), best: [{ product: seed, seed, node }] });
    }
    for (const edge of ways(graph, node)) {
      const above = at.get(edge.target);
      const local = edge.local ?? 1;
      known &&= edge.local !== null && graph.nodes.get(edge.target).count === 1; // of several in one it is that of one
      edges.push(edge.key);
      here.count += above.count;
      here.sum += above.sum * local;
      here.size += Math.abs(above.sum * local);
      for (const path of above.best) here.best.push({ product: path.product * local, edge, rest: path });
    }
    here.best = here.best.sort((a, b) => magnitude(b) - magnitude(a)).slice(0, most);
    at.set(node, here);
  }
  const { count, sum, size, best } = at.get(key) ?? { count: 0n, sum: 0, size: 0, best: [] };
  return { nodes: [...on], edges, known, count, sum, size, best: best.map(unrolled) };
}

/** How far in front a path stands: what is not a number stands first, for it spoils the sum. */
function magnitude({ product }) {
  return Number.isNaN(product) ? Infinity : Math.abs(product);
}

/** A path as the list of its edges from the output on; while it grows it is linked from its end. */
function unrolled(path) {
  const edges = [];
  let at = path;
  for (; at.edge; at = at.rest) edges.push(at.edge);
  edges.reverse();
  return { product: path.product, seed: at.seed, output: at.node, edges };
}

/** Whether a sum in this order agrees with one in another: up to the rounding of single precision. */
function agrees(sum, size, gradient) {
  if (Object.is(sum, gradient) || sum === gradient) return true;
  return Math.abs(sum - gradient) <= 1e-6 * Math.max(size, Math.abs(gradient));
}
