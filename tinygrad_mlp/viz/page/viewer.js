// The page: it reads the records, wires camera, card, panel, modules, player and search together, and knows the keys.

const element = (id) => document.getElementById(id);
const data = JSON.parse(element("data").textContent);
const stage = element("stage");
const svg = stage.querySelector("svg");
const graph = indexed(data);
const drawn = new Map([...svg.querySelectorAll("[id]")].map((part) => [part.id, part]));
const find = (key) => drawn.get(key);
const things = new Map(); // what can be lit, by its id: its element, the records it stands for, its words
let chosen = null; // the key of the node in the panel
const lit = { on: null, pointed: null, active: new Set(), hit: new Set() };

document.documentElement.classList.add("js");
document.documentElement.classList.toggle("graph", graph.nodes.size > 0);
takeTips();
moveLegend();
for (const key of [...graph.nodes.keys(), ...graph.edges.keys()].filter(find)) register(key);
const camera = makeCamera(svg, stage);
const card = makeCard(element("card"), stage);
const modules = makeModules({ graph, svg, find, things, changed: paint });
const steps = { frames: data.frames, graph, find, changed: follow };
const player = steps.frames.length ? makePlayer(element("player"), steps) : null;
const known = player?.known ?? { valued: () => true, grad: (_key, text) => text };
const panel = makePanel(element("panel"), { graph, known, point: (path) => paint({ pointed: path && keysOf(path) }) });
makeSearch(element("search"), element("count"), { graph, find, paint, visit });

// --- what is drawn ---------------------------------------------------------------------------------------------------

/** Take the tooltips of the SVG for the card; the browser would show them beside it. */
function takeTips() {
  for (const title of svg.querySelectorAll("title")) {
    title.parentNode.dataset.tip = title.textContent;
    title.remove();
  }
  set(svg, { role: "group", "aria-label": svg.dataset.tip ?? "picture" }); // as an image it would hide its nodes
  delete svg.dataset.tip;
}

/** Put the entries of the legend beside the picture, where they stay in sight, in size, and wrap as words do. */
function moveLegend() {
  const legend = graph.nodes.size && svg.querySelector("g.legend");
  if (!legend) return;
  const look = { role: "img", "font-family": svg.getAttribute("font-family") ?? "sans-serif" };
  let parts = [];
  for (const part of [...legend.children]) {
    parts.push(part);
    if (part.tagName !== "text") continue; // the words end an entry; samples stand before them
    const boxes = parts.map((one) => one.getBBox());
    const [x, y] = ["x", "y"].map((side) => Math.min(...boxes.map((box) => box[side])) - 2);
    const width = Math.max(...boxes.map((box) => box.x + box.width)) + 2 - x;
    const height = Math.max(...boxes.map((box) => box.y + box.height)) + 2 - y;
    const size = { viewBox: `${x} ${y} ${width} ${height}`, width: 1.15 * width, height: 1.15 * height };
    element("legend").append(make("svg:svg", { ...size, ...look, "aria-label": part.textContent }, ...parts));
    parts = [];
  }
  legend.remove();
}

/** Make a node one that can be reached and chosen, and give an edge a broad line to point at. */
function register(key) {
  const [part, node] = [find(key), graph.nodes.get(key)];
  things.set(key, { element: part, keys: [key], words: (node ?? graph.edges.get(key)).tip });
  if (node) {
    set(part, { tabindex: 0, role: "button", "aria-label": node.tip });
    activate(part, () => choose(key));
  } else {
    const line = part.querySelector("path");
    line?.before(set(line.cloneNode(), { class: "reach" }));
  }
}

const keysOf = ({ nodes, edges }) => new Set([...nodes, ...edges]);

/** Light what is chosen, pointed at, found, or part of the step. */
function paint(news = {}) {
  Object.assign(lit, news);
  const on = lit.pointed ?? lit.on;
  svg.classList.toggle("dimmed", Boolean(on));
  for (const { element: part, keys } of things.values())
    for (const [name, which] of [["on", on], ["active", lit.active], ["hit", lit.hit]])
      part.classList.toggle(name, Boolean(which) && keys.some((key) => which.has(key)));
}

function choose(key) {
  chosen = key;
  card.hide();
  paint({ on: keysOf(panel.show(key)), pointed: null });
}

function clear() {
  chosen = null;
  card.hide();
  panel.clear();
  paint({ on: null, pointed: null });
}

/** Go to what was found, in a collapsed module too. */
function visit(key) {
  modules.open(key);
  camera.centre(find(key));
  choose(key);
}

/** Light the nodes and edges of a step, and keep them in sight. */
function follow(keys) {
  paint({ active: keys });
  if (chosen) panel.update(chosen);
  const part = [...things.values()].find(({ element: { classList } }) => classList.contains("active"))?.element;
  if (part) camera.reveal(part);
}

// --- the pointer and the focus ---------------------------------------------------------------------------------------

/** Show the card of what is pointed at, or none. */
function describe(part, x, y) {
  const thing = things.get(part?.closest(".node, .edge")?.id);
  const tip = part?.closest("[data-tip]")?.dataset.tip;
  const [key] = thing?.keys.length === 1 ? thing.keys : [];
  const [node, edge] = [graph.nodes.get(key), graph.edges.get(key)];
  if (node) card.show(node.title, facts(node, known), x, y);
  else if (thing || tip) card.show(thing?.words ?? tip, edge && !player ? edgeFacts(edge) : [], x, y);
  else card.hide();
}

stage.addEventListener("pointermove", ({ buttons, target, clientX, clientY }) => {
  describe(buttons ? null : target, clientX, clientY);
});
stage.addEventListener("pointerleave", card.hide);
stage.addEventListener("click", clear);
stage.addEventListener("focusout", card.hide);
stage.addEventListener("focusin", ({ target }) => {
  if (!target.matches(":focus-visible")) return; // the mouse brings its own card
  camera.reveal(target);
  const { left, bottom } = target.getBoundingClientRect();
  describe(target, left, bottom - 8);
});

// --- buttons and keys ------------------------------------------------------------------------------------------------

const help = element("keys");
const [closer, farther] = [() => camera.zoom(1.3), () => camera.zoom(1 / 1.3)];
const all = (closed) => () => (modules.toggleAll(closed), camera.begin());
const BUTTONS = {
  in: closer,
  out: farther,
  fit: camera.fit,
  help: () => help.showModal(),
  close: () => help.close(),
  collapse: all(true),
  expand: all(false),
};
for (const [id, action] of Object.entries(BUTTONS)) element(id).addEventListener("click", action);
for (const id of ["collapse", "expand"]) element(id).hidden = !modules.any;

/** The neighbour of a node that lies most nearly in a direction. */
function neighbour(from, [dx, dy]) {
  const middle = (part) => {
    const { left, top, width, height } = part.getBoundingClientRect();
    return [left + width / 2, top + height / 2];
  };
  const own = new Set(things.get(from.id).keys);
  const joined = new Set();
  for (const { source, target } of graph.edges.values())
    if (own.has(source) !== own.has(target)) joined.add(own.has(source) ? target : source);
  const [x, y] = middle(from);
  const seen = [...things.values()].filter(({ element: part }) => part !== from && part.matches(".node:not(.away)"));
  const turned = seen.filter(({ keys }) => keys.some((key) => joined.has(key))).map(({ element: part }) => {
    const [u, v] = middle(part);
    return { part, cosine: ((u - x) * dx + (v - y) * dy) / (Math.hypot(u - x, v - y) || 1) };
  });
  return turned.filter(({ cosine }) => cosine > 0.05).sort((a, b) => b.cosine - a.cosine)[0]?.part;
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const PLAYER = { " ": "play", ArrowLeft: "back", ArrowRight: "forward", Home: "first", End: "last" };
const KEYS = {
  "/": () => element("search").focus(),
  "?": BUTTONS.help,
  "+": closer,
  "-": farther,
  0: camera.fit,
  Escape: () => (document.activeElement?.blur(), clear()),
};

document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || help.open || target.matches("input, select")) return;
  if (key === " " && target.matches("button, summary")) return;
  const node = ARROWS[key] && target.closest(".node");
  const action = node ? () => neighbour(node, ARROWS[key])?.focus() : (KEYS[key] ?? player?.moves[PLAYER[key]]);
  if (!action) return;
  event.preventDefault();
  action();
});

camera.begin();
player?.start();
const marked = data.kind === "path" && graph.order.filter((key) => graph.nodes.get(key).lit && find(key)).pop();
if (marked) choose(marked); // the picture was made for this node
