// Modules: a frame can be collapsed into one box. Its nodes are hidden, edges lead to the box, and the bands in which
// nothing is left to see are taken out of the picture.

const BESIDE = 13; // half of what the layout leaves between neighbours of a layer
const BETWEEN = 22; // half of what it leaves between layers

/** The modules that can be collapsed; `things`, what is drawn by its id, gains their boxes and the boxes' edges. */
function makeModules({ graph, svg, find, things, changed }) {
  const clusters = new Map();
  for (const record of graph.clusters.filter(({ key }) => find(key))) {
    const element = find(record.key);
    const heading = element.querySelector("text") ?? element;
    const frame = element.querySelector("rect, path, polygon") ?? element;
    clusters.set(record.key, { ...record, element, frame: frame.getBBox(), heading: heading.getBBox(), members: [] });
  }
  const places = new Map([...graph.nodes.keys()].filter(find).map((key) => [key, find(key).getBBox()]));
  for (const [key, node] of graph.nodes) for (const cluster of around(node.cluster)) cluster.members.push(key);
  const labels = new Map([...graph.edges.keys()].filter(find).map((key) => [key, labelled(find(key))]));
  const collapsed = new Set();
  const down = runsDown(graph, places);
  const first = svg.querySelector(".edge, .node");
  const layer = first?.parentNode.insertBefore(make("svg:g", { class: "rerouted" }), first);
  for (const { key, title, members, element } of clusters.values()) {
    const label = `module ${title}, ${counted(members)}; Enter collapses it`;
    for (const text of element.querySelectorAll("text")) {
      set(text, { tabindex: 0, role: "button", "aria-expanded": true, "aria-label": label });
      activate(text, () => toggle(key));
    }
  }

  /** The frames around something in the frame `key`, the outermost first. */
  function around(key) {
    const found = [];
    for (let at = clusters.get(key); at; at = clusters.get(at.parent)) found.unshift(at);
    return found;
  }

  function counted(keys) {
    const many = keys.reduce((sum, key) => sum + graph.nodes.get(key).count, 0);
    return many === 1 ? "1 node" : `${many.toLocaleString("en")} nodes`;
  }

  /** The outermost collapsed frame around something in the frame `key`, if there is one. */
  const hider = (key) => around(key).find((cluster) => collapsed.has(cluster.key));

  function toggle(key, closed = !collapsed.has(key)) {
    if (closed) collapsed.add(key);
    else collapsed.delete(key);
    arrange();
    const now = closed ? things.get(`box-${key}`)?.element : find(key).querySelector("text");
    now?.focus({ preventScroll: true });
  }

  function toggleAll(closed) {
    for (const key of clusters.keys()) collapsed[closed ? "add" : "delete"](key);
    arrange();
  }

  /** Expand what hides the node `key`. */
  function open(key) {
    const opened = around(graph.nodes.get(key).cluster).filter((cluster) => collapsed.delete(cluster.key));
    if (opened.length) arrange();
  }

  /** Draw everything where it belongs now. */
  function arrange() {
    for (const [id, { element, made }] of things) if (made && things.delete(id)) element.remove();
    const closed = [...clusters.values()].filter(({ key, parent }) => collapsed.has(key) && !hider(parent));
    const boxes = new Map(closed.map((cluster) => [cluster.key, drawBox(cluster)]));
    const [mapX, mapY] = axes(closed, boxes);
    const where = new Map(); // where each node is seen: its own place, or that of the box around it
    for (const [key, place] of places) {
      const frame = hider(graph.nodes.get(key).cluster);
      where.set(key, { ...shifted(frame ? boxes.get(frame.key).place : place, mapX, mapY), owner: frame?.key ?? key });
      find(key).classList.toggle("away", Boolean(frame));
      if (!frame) slide(find(key), place, where.get(key));
    }
    for (const { element, place } of boxes.values()) slide(element, place, shifted(place, mapX, mapY));
    for (const { key, element } of clusters.values()) {
      element.classList.toggle("away", Boolean(hider(key)));
      bend(element, mapX, mapY);
    }
    reroute(where, mapX, mapY);
    changed();
  }

  /** Draw the box that stands for a frame, in the middle of the frame. */
  function drawBox({ key, title, members, frame }) {
    const [x, y] = [frame.x + frame.width / 2, frame.y + frame.height / 2];
    const words = `module ${title}, ${counted(members)}, collapsed; Enter expands it`;
    const button = { tabindex: 0, role: "button", "aria-expanded": false, "aria-label": words };
    const texts = [
      make("svg:text", { class: "title", "text-anchor": "middle", x, y: y - 2 }, title),
      make("svg:text", { class: "row", "text-anchor": "middle", x, y: y + 13 }, counted(members)),
    ];
    const element = make("svg:g", { class: "node box", id: `box-${key}`, ...button }, ...texts);
    first.parentNode.append(element);
    const width = Math.max(...texts.map((text) => text.getBBox().width)) + 24; // known once it is drawn
    const place = { x: x - width / 2, y: y - 20, width, height: 42 };
    element.prepend(make("svg:rect", { ...place, rx: 7 }));
    activate(element, () => toggle(key));
    const edges = members.flatMap((member) => graph.inputs.get(member).map((edge) => edge.key));
    const thing = { element, place, keys: [...members, ...edges], made: true, words };
    things.set(element.id, thing);
    return thing;
  }

  /** The maps of both axes, from what is hidden and what is seen. */
  function axes(closed, boxes) {
    const open = (key) => !hider(graph.nodes.get(key).cluster);
    const seen = [...places].filter(([key]) => open(key)).map(([, place]) => place);
    for (const { place } of boxes.values()) seen.push(place);
    const words = [...clusters.values()].filter(({ key }) => !hider(key)).map(({ heading }) => heading);
    for (const { key, source, target } of graph.edges.values())
      if (open(source) && open(target)) words.push(...(labels.get(key) ?? []));
    const axis = (from, size, room) => {
      const span = (margin) => (box) => [box[from] - margin, box[from] + box[size] + margin];
      const hidden = closed.map(({ frame }) => frame).map(span(0));
      return squeeze(hidden, [...seen.map(span(room)), ...words.map(span(4))]);
    };
    return [axis("x", "width", down ? BESIDE : BETWEEN), axis("y", "height", down ? BETWEEN : BESIDE)];
  }

  /** Bend the edges between nodes that are seen, and draw one edge for all that lead from or to a box together. */
  function reroute(where, mapX, mapY) {
    const bundles = new Map();
    for (const edge of graph.edges.values()) {
      const [source, target, element] = [where.get(edge.source), where.get(edge.target), find(edge.key)];
      if (!source || !target || !element) continue;
      const whole = source.owner === edge.source && target.owner === edge.target;
      element.classList.toggle("away", !whole);
      if (whole) bend(element, mapX, mapY);
      else if (source.owner !== target.owner) {
        const id = `edge-${source.owner}-${target.owner}`;
        if (!bundles.has(id)) bundles.set(id, { source, target, edges: [] });
        bundles.get(id).edges.push(edge);
      }
    }
    for (const [id, { source, target, edges }] of bundles) {
      const ends = edges[0].backward ? [target, source] : [source, target];
      const element = make("svg:g", { class: "edge", id }, ...arrow(...ends, down));
      layer.append(element);
      const words = edges.length === 1 ? edges[0].tip : `${edges.length} edges`;
      things.set(id, { element, keys: edges.map(({ key }) => key), made: true, words });
    }
  }

  return { toggle, toggleAll, open, any: clusters.size > 0 };
}

/** The map of an axis that takes out the bands in which something hidden lies and nothing seen. */
function squeeze(hidden, seen) {
  const covered = (spans, x) => spans.some(([low, high]) => low < x && x < high);
  const stops = [...new Set([...hidden, ...seen].flat())].sort((a, b) => a - b);
  const bands = stops.slice(1).map((stop, i) => [stops[i], stop]);
  const empty = bands.filter(([low, high]) => {
    const middle = (low + high) / 2;
    return covered(hidden, middle) && !covered(seen, middle);
  });
  return (x) => empty.reduce((at, [low, high]) => at - Math.min(Math.max(x - low, 0), high - low), x);
}

/** The places of what is written along an edge. */
function labelled(element) {
  return [...element.querySelectorAll(".label")].map((label) => label.getBBox());
}

/** Whether edges run up or down rather than sideways. */
function runsDown(graph, places) {
  let lean = 0;
  for (const { source, target } of graph.edges.values()) {
    const [a, b] = [places.get(source), places.get(target)];
    if (!a || !b) continue;
    lean += Math.abs(a.y + a.height / 2 - b.y - b.height / 2) - Math.abs(a.x + a.width / 2 - b.x - b.width / 2);
  }
  return lean >= 0;
}

/** A box of the same size whose middle is mapped. */
function shifted({ x, y, width, height }, mapX, mapY) {
  return { x: mapX(x + width / 2) - width / 2, y: mapY(y + height / 2) - height / 2, width, height };
}

/** Move an element from where it was drawn to where it belongs now. */
function slide(element, from, to) {
  element.setAttribute("transform", `translate(${to.x - from.x},${to.y - from.y})`);
}

/** Map every point of the lines of an edge or a frame; its texts, and what is behind them, keep their size. */
function bend(element, mapX, mapY) {
  const mapped = (text) => text.replace(/([-\d.e]+)([ ,]+)([-\d.e]+)/g, (_, x, gap, y) => mapX(+x) + gap + mapY(+y));
  for (const part of element.querySelectorAll("path, polygon, polyline, rect, text")) {
    const [points] = ["d", "points"].filter((name) => part.hasAttribute(name));
    part.rest ??= points ? part.getAttribute(points) : part.getBBox();
    const { x, y, width, height } = part.rest;
    if (points) part.setAttribute(points, mapped(part.rest));
    else if (part.tagName !== "rect" || element.classList.contains("edge"))
      slide(part, part.rest, shifted(part.rest, mapX, mapY));
    else set(part, { x: mapX(x), y: mapY(y), width: mapX(x + width) - mapX(x), height: mapY(y + height) - mapY(y) });
  }
}

/** A smooth line with an arrowhead from one box to another. */
function arrow(from, to, down) {
  const [along, across, long, wide] = down ? ["y", "x", "height", "width"] : ["x", "y", "width", "height"];
  const middle = (box, axis, size) => box[axis] + box[size] / 2;
  const way = Math.sign(middle(to, along, long) - middle(from, along, long)) || 1;
  const start = middle(from, along, long) + (way * from[long]) / 2;
  const end = middle(to, along, long) - (way * to[long]) / 2;
  const [u, v] = [middle(from, across, wide), middle(to, across, wide)];
  const point = (side, ahead) => (down ? `${side},${ahead}` : `${ahead},${side}`);
  const half = (start + end) / 2;
  const d = `M${point(u, start)} C${point(u, half)} ${point(v, half)} ${point(v, end - 7 * way)}`;
  const points = [point(v, end), point(v + 3.5, end - 8 * way), point(v - 3.5, end - 8 * way)].join(" ");
  return [make("svg:path", { class: "reach", d }), make("svg:path", { d }), make("svg:polygon", { points })];
}
