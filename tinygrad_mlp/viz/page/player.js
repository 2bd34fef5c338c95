// The player: forward, then backward, one operation at a time. Of every step it is known which values and gradients
// there are by then; everything else is hidden, so that the picture never tells more than the steps so far.

const SECONDS = 1.2; // a step at normal speed

/** Every step with all that is known by then; the records have only what is new in each. */
function accumulated(frames) {
  let valued = new Set();
  let graded = new Map();
  return frames.map((frame) => {
    valued = new Set([...valued, ...frame.valued].filter((key) => !frame.unvalued.includes(key)));
    graded = new Map([...graded, ...Object.entries(frame.graded)].filter(([, text]) => text !== null));
    return { phase: frame.phase, words: frame.words, valued, graded, lit: new Set(frame.lit) };
  });
}

/** The player of `frames` in the bar `bar`; `changed` is called with the keys that take part in the step. */
function makePlayer(bar, { frames, graph, find, changed }) {
  const steps = accumulated(frames);
  const [scrub, words, play, speed] = ["scrub", "words", "play", "speed"].map((id) => bar.querySelector(`#${id}`));
  const labels = new Map(); // what is written along an edge, and the step in which the gradient first flows along it
  steps.forEach(({ phase, lit }, i) => {
    for (const key of lit)
      if (phase === "backward" && graph.edges.has(key) && find(key))
        for (const label of find(key).querySelectorAll(".label, rect")) if (!labels.has(label)) labels.set(label, i);
  });
  let at = 0;
  let timer = 0;

  function show(step) {
    at = Math.min(Math.max(step, 0), steps.length - 1);
    const { phase, words: text, valued, graded, lit } = steps[at];
    for (const key of graph.nodes.keys()) if (find(key)) dress(find(key), valued.has(key), graded.get(key));
    for (const [label, since] of labels) label.classList.toggle("unknown", since > at);
    scrub.value = at;
    scrub.setAttribute("aria-valuetext", `step ${at + 1} of ${steps.length}, ${phase}`);
    words.replaceChildren(make("b", {}, phase), ` ${at + 1}/${steps.length}: ${text}`);
    bar.dataset.phase = phase;
    changed(lit);
  }

  /** Show a node's rows as far as they are known. */
  function dress(element, valued, grad) {
    for (const row of element.querySelectorAll(".value")) row.classList.toggle("unknown", !valued);
    for (const row of element.querySelectorAll(".grad")) {
      row.classList.toggle("unknown", grad === undefined);
      if (grad !== undefined) row.textContent = grad;
    }
  }

  function pause() {
    clearTimeout(timer);
    timer = 0;
    play.textContent = "play";
  }

  function tick() {
    timer = setTimeout(
      () => {
        show(at + 1);
        if (at < steps.length - 1) tick();
        else pause();
      },
      (1000 * SECONDS) / speed.value,
    );
  }

  function toggle() {
    if (timer) return pause();
    if (at === steps.length - 1) show(0);
    play.textContent = "pause";
    return tick();
  }

  function go(step) {
    pause();
    show(step);
  }

  const moves = {
    first: () => go(0),
    back: () => go(at - 1),
    play: toggle,
    forward: () => go(at + 1),
    last: () => go(steps.length - 1),
  };
  for (const [id, move] of Object.entries(moves)) bar.querySelector(`#${id}`).addEventListener("click", move);
  scrub.max = steps.length - 1;
  scrub.addEventListener("input", () => go(Number(scrub.value)));
  bar.hidden = false;
  const known = {
    valued: (key) => steps[at].valued.has(key),
    grad: (key) => steps[at].graded.get(key) ?? "",
  };
  return { moves, known, start: () => show(0) };
}
