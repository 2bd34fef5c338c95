// Words beside the picture: the card at the pointer, and the panel that sets the sum over all paths beside the
// gradient.

const SHOWN = 12; // factors of a product that are written out; of longer ones the middle is left out

/** A new element: `make("p", {class: "note"}, "text", child)`; "svg:g" makes one of SVG. */
function make(name, attributes = {}, ...children) {
  const [tag, space] = name.startsWith("svg:") ? [name.slice(4), document.querySelector("svg").namespaceURI] : [name];
  const element = space ? document.createElementNS(space, tag) : document.createElement(tag);
  element.append(...children);
  return set(element, attributes);
}

/** An element with its attributes set. */
function set(element, attributes) {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Let a click, Enter and the space bar do the same. */
function activate(element, action) {
  const run = (event) => {
    event.stopPropagation(); // a click on the background behind it would clear what is lit
    event.preventDefault();
    action();
  };
  element.addEventListener("click", run);
  element.addEventListener("keydown", (event) => (event.key === "Enter" || event.key === " ") && run(event));
}

/** A number as the picture's labels have it, with four significant digits. */
function digits(x, signed = false) {
  const plus = signed && x > 0 ? "+" : "";
  const text = Number.isFinite(x) ? Number(x.toPrecision(4)) + 0 : String(x).toLowerCase().replace("infinity", "inf");
  return plus + text;
}

const NONE = "none flows here";
const KINDS = { op: "operation", group: "several nodes in one" }; // in the words of the legend

/** What a gradient's row says, without the word: "+0.5", "norm 0.3", "not computed". */
function gradientText(words) {
  return words.replace(/^grad:? /, "");
}

/** The facts about a node, as pairs of a word and a text; `known` says what the player has come to know. */
function facts(node, known) {
  const value = known.valued(node.key) ? node.value : "not yet known";
  const grad = known.grad(node.key, node.grad);
  const pairs = [
    ["value", node.value && value],
    ["gradient", gradientText(grad) || (node.frozen && NONE)],
    ["shape", node.shape],
    ["formula", node.formula],
    ["line", node.source],
    ["module", node.module],
    ["stands for", node.count > 1 ? `${node.count.toLocaleString("en")} nodes` : ""],
    ["mark", node.mark],
  ];
  return pairs.filter(([, text]) => text);
}

/** The numbers on an edge. */
function edgeFacts({ local, flow }) {
  const pairs = [["local derivative", local], ["contribution", flow]];
  return pairs.filter(([, x]) => x !== null).map(([word, x]) => [word, digits(x, true)]);
}

function definitions(pairs) {
  return make("dl", {}, ...pairs.flatMap(([word, text]) => [make("dt", {}, word), make("dd", {}, text)]));
}

/** The card: it follows the pointer, or stands below what has the focus. */
function makeCard(card, stage) {
  return {
    show(title, pairs, x, y) {
      card.replaceChildren(make("strong", {}, title), ...(pairs.length ? [definitions(pairs)] : []));
      card.hidden = false;
      const [all, own] = [stage.getBoundingClientRect(), card.getBoundingClientRect()];
      const left = Math.max(all.left + 4, Math.min(x + 14, all.right - own.width - 4));
      const top = y + 16 + own.height > all.bottom ? Math.max(all.top + 4, y - own.height - 10) : y + 16;
      Object.assign(card.style, { left: `${left}px`, top: `${top}px` });
    },
    hide: () => (card.hidden = true),
  };
}

/** The panel; `point` is called with a path, or with nothing, when one of the paths listed is pointed at. */
function makePanel(panel, { graph, known, point }) {
  const name = (key) => {
    const node = graph.nodes.get(key);
    return node.name || node.symbol || node.op || node.title;
  };
  const hint = [...panel.childNodes];

  function show(key) {
    const node = graph.nodes.get(key);
    const paths = pathsTo(graph, key);
    const ends = graph.outputs.map(name).join(", ");
    const folded = paths.nodes.some((on) => graph.nodes.get(on).count > 1) ? " in this folded picture" : "";
    const many = (paths.count === 1n ? "1 path" : `${grouped(paths.count)} paths`) + folded;
    panel.replaceChildren(
      make("h2", {}, node.title),
      about(node),
      make("h3", {}, graph.outputs.includes(key) ? "The output itself" : `${many} from ${ends}`),
      ...(paths.known ? products(node, paths) : contributions(node)),
    );
    return paths;
  }

  const about = (node) => definitions([["kind", KINDS[node.kind] ?? node.kind], ...facts(node, known)]);

  /** The facts again, when the player has come to know others. */
  const update = (key) => panel.querySelector("dl").replaceWith(about(graph.nodes.get(key)));

  /** The largest products of local derivatives, their sum over all paths, and the gradient. */
  function products(node, { count, sum, size, best }) {
    const rest = count - BigInt(best.length);
    const list = make("ol", { class: "paths" }, ...best.map((path) => make("li", {}, line(path))));
    const equal = node.slope !== null && agrees(sum, size, node.slope);
    const verdict = node.slope === null ? "" : equal ? "they are equal" : `they differ by ${digits(sum - node.slope)}`;
    return [
      list,
      ...(rest > 0n ? [make("p", { class: "rest" }, `and ${grouped(rest)} more, none of them larger`)] : []),
      make(
        "dl",
        { class: "sum" },
        make("dt", {}, count === 1n ? "the product" : "sum over all paths"),
        make("dd", { id: "sum", "data-value": sum }, digits(sum, true)),
        make("dt", {}, "gradient"),
        make("dd", { id: "slope", "data-value": node.slope ?? "" }, slopeText(node)),
      ),
      make("p", { id: "verdict", class: equal ? "equal" : "different" }, verdict),
    ];
  }

  function slopeText(node) {
    if (node.slope !== null) return digits(node.slope, true);
    return node.frozen ? NONE : gradientText(node.grad) || "not kept";
  }

  /** A path in words, and its product of local derivatives. */
  function line({ product, seed, output, edges }) {
    const nodes = [output, ...edges.map(({ source }) => source)];
    const names = shortened(nodes.map(name), " → ");
    const bracketed = (x) => (x < 0 ? `(${digits(x)})` : digits(x));
    const factors = edges.map(({ local }) => bracketed(local));
    if (seed !== 1 || !factors.length) factors.unshift(bracketed(seed));
    const text = factors.length > 1 ? `${shortened(factors, " × ")} = ${digits(product)}` : factors[0];
    const written = make("span", { class: "product" }, text);
    const button = make("button", { type: "button" }, make("span", {}, names), written);
    const path = { nodes, edges: edges.map(({ key }) => key) };
    for (const kind of ["pointerenter", "focus"]) button.addEventListener(kind, () => point(path));
    for (const kind of ["pointerleave", "blur"]) button.addEventListener(kind, () => point(null));
    return button;
  }

  /** Where the local derivatives are no single numbers: what every use of the node contributes to its gradient. */
  function contributions(node) {
    const users = graph.users.get(node.key);
    const flows = users.filter(({ local, flow }) => local !== null || flow !== null);
    const rows = flows.map(({ target, flow }) => [`from ${name(target)}`, flow === null ? "unknown" : digits(flow)]);
    const remark = flows.length ? FLOWS : node.frozen ? "" : UNKNOWN;
    return [definitions([...rows, ["gradient", slopeText(node)]]), make("p", { class: "rest" }, remark)];
  }

  return { show, update, clear: () => panel.replaceChildren(...hint) };
}

const FLOWS = "Contributions are norms where they are arrays; the arrays themselves add up to the gradient.";
const UNKNOWN = "This picture has no local derivatives: the kinds backward and path show them.";

/** A list as text, its middle left out where it is long. */
function shortened(words, between) {
  if (words.length <= SHOWN + 1) return words.join(between);
  const [left, right] = [words.slice(0, SHOWN / 2), words.slice(-SHOWN / 2)];
  return [...left, `… ${words.length - SHOWN} more …`, ...right].join(between);
}

/** A whole number of any size: in groups of three digits, or as a power of ten. */
function grouped(n) {
  const text = n.toString();
  return text.length > 18 ? `about ${text[0]}.${text.slice(1, 3)}·10^${text.length - 1}` : n.toLocaleString("en");
}
