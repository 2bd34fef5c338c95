// Search: nodes by what they are called or compute.

/** The search field: `paint` outlines what is found, `visit` goes to a node. */
function makeSearch(field, count, { graph, find, paint, visit }) {
  let hits = [];
  let at = -1;

  function seek() {
    const wanted = field.value.trim().toLowerCase();
    const texts = ({ title, name, op, formula }) => [title, name, op, formula].join("\n").toLowerCase();
    const nodes = [...graph.nodes.values()].filter(({ key }) => wanted && find(key));
    hits = nodes.filter((node) => texts(node).includes(wanted)).map(({ key }) => key);
    at = -1;
    count.textContent = wanted ? `${hits.length || "none"} found` : "";
    paint({ hit: new Set(hits) });
  }

  function go(step) {
    if (!hits.length) return;
    at = at < 0 && step < 0 ? hits.length - 1 : (at + step + hits.length) % hits.length;
    visit(hits[at]);
    count.textContent = `${at + 1} of ${hits.length}: ${graph.nodes.get(hits[at]).title}`;
  }

  field.addEventListener("input", seek);
  field.addEventListener("keydown", ({ key, shiftKey }) => {
    if (key === "Enter") go(shiftKey ? -1 : 1);
    if (key !== "Escape") return;
    field.value = "";
    seek();
    field.blur();
  });
}
