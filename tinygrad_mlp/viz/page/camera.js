// The camera: what part of the picture is seen. It only sets the SVG's viewBox; the picture itself stays as it is.

const STILL = 4; // pixels that a hand may tremble while it clicks
const EDGE = 16; // pixels around a picture that fits
const LEGIBLE = 0.3; // below it letters are specks

/** Pan and zoom of `svg` in the box `stage`: `fit`, `begin`, `zoom`, `pan`, `centre` and `reveal`. */
function makeCamera(svg, stage) {
  const at = { x: 0, y: 0, scale: 1, least: 0.05, fitted: null }; // `fitted`: what keeps it so in a window that changes

  function apply() {
    const { width, height } = stage.getBoundingClientRect();
    const [w, h] = [width / at.scale, height / at.scale];
    svg.setAttribute("viewBox", `${at.x - w / 2} ${at.y - h / 2} ${w} ${h}`);
  }

  /** The point of the picture below a point of the window. */
  function below(clientX, clientY) {
    const { left, top, width, height } = stage.getBoundingClientRect();
    return [at.x + (clientX - left - width / 2) / at.scale, at.y + (clientY - top - height / 2) / at.scale];
  }

  /** Show the whole picture. */
  function fit() {
    frame((whole) => whole, fit);
  }

  /** Show the whole picture if its words can be read then; of a long one the beginning, as broad as the window. */
  function begin() {
    frame((whole, broad) => (whole < LEGIBLE ? Math.min(broad, 0.7) : whole), begin);
  }

  function frame(choose, fitted) {
    const box = svg.getBBox();
    const room = stage.getBoundingClientRect();
    const [width, height] = [room.width - 2 * EDGE, room.height - 2 * EDGE];
    if (!box.width || width <= 0 || height <= 0) return;
    const [wide, high] = [width / box.width, height / box.height];
    const whole = Math.min(wide, high, 1.6);
    const scale = choose(whole, Math.max(wide, high));
    const middle = (from, size, seen, long) => from + (long && size > seen ? seen : size) / 2;
    at.x = middle(box.x, box.width, width / scale, wide < high);
    at.y = middle(box.y, box.height, height / scale, high <= wide);
    Object.assign(at, { scale, fitted, least: Math.min(whole / 2, 0.5) });
    apply();
  }

  function zoom(factor, clientX, clientY) {
    const { left, top, width, height } = stage.getBoundingClientRect();
    const [cx, cy] = [clientX ?? left + width / 2, clientY ?? top + height / 2];
    const [x, y] = below(cx, cy);
    const scale = Math.min(Math.max(at.scale * factor, at.least), 12);
    const share = at.scale / scale;
    Object.assign(at, { x: x + (at.x - x) * share, y: y + (at.y - y) * share, scale, fitted: null });
    apply();
  }

  function pan(dx, dy) {
    Object.assign(at, { x: at.x - dx / at.scale, y: at.y - dy / at.scale, fitted: null });
    apply();
  }

  function centre(element) {
    const box = element.getBoundingClientRect();
    [at.x, at.y] = below(box.left + box.width / 2, box.top + box.height / 2);
    Object.assign(at, { scale: Math.max(at.scale, 0.7), fitted: null }); // small print must be readable when found
    apply();
  }

  /** Move only if `element` is not wholly seen. */
  function reveal(element) {
    const [box, all] = [element.getBoundingClientRect(), stage.getBoundingClientRect()];
    const seen = box.left >= all.left && box.right <= all.right && box.top >= all.top && box.bottom <= all.bottom;
    if (!seen) centre(element);
  }

  listen(stage, { pan, zoom });
  new ResizeObserver(() => (at.fitted ?? apply)()).observe(stage);
  window.addEventListener("beforeprint", fit);
  return { fit, begin, zoom, pan, centre, reveal };
}

/** Let the mouse, the wheel and fingers move a camera; a press that does not move stays a click. */
function listen(stage, { pan, zoom }) {
  const fingers = new Map();
  let travelled = 0;
  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    travelled = 0;
  });
  stage.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
    travelled += Math.abs(dx) + Math.abs(dy);
    if (travelled < STILL) return;
    stage.setPointerCapture(event.pointerId); // not before it moves: a captured press would be no click on a node
    stage.classList.add("moving");
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (!other) return pan(dx, dy);
    const apart = (x, y) => Math.hypot(x - other[0], y - other[1]) || 1;
    const middle = [(event.clientX + other[0]) / 2, (event.clientY + other[1]) / 2];
    pan(dx / 2, dy / 2);
    zoom(apart(event.clientX, event.clientY) / apart(...before), ...middle);
  });
  const lift = (event) => {
    fingers.delete(event.pointerId);
    stage.classList.remove("moving");
  };
  stage.addEventListener("pointerup", lift);
  stage.addEventListener("pointercancel", lift);
  stage.addEventListener("click", (event) => travelled >= STILL && event.detail && event.stopPropagation(), true);
  stage.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 16 : 1;
      const speed = event.ctrlKey ? 0.01 : 0.0015; // a pinch on a trackpad comes as a wheel with Ctrl, in small steps
      zoom(Math.exp(-event.deltaY * lines * speed), event.clientX, event.clientY);
    },
    { passive: false },
  );
}
