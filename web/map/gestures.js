// @ts-check
/** Fingers, mice and wheels on the map: one moves it, two stretch it, a tap points at something. */

/** A press that moves no farther than this is a tap. */
const TAP_PX = 6;

/**
 * @param {HTMLElement} surface @param {import('./camera.js').Camera} camera
 * @param {{tap: (x: number, y: number) => void, aim: (x: number, y: number) => void, leave: () => void}} told
 * @returns {() => void} takes all listeners away again
 */
export function followGestures(surface, camera, told) {
  /** @type {Map<number, {x: number, y: number}>} */
  const down = new Map();
  let moved = 0;
  let spread = 0;

  const point = (event) => {
    const box = surface.getBoundingClientRect();
    return {x: event.clientX - box.left, y: event.clientY - box.top};
  };
  const distance = () => {
    const [a, b] = [...down.values()];
    return Math.hypot(a.x - b.x, a.y - b.y);
  };

  const press = (event) => {
    if (event.button !== 0) return;
    down.set(event.pointerId, point(event));
    if (down.size === 1) moved = 0;
    if (down.size === 2) spread = distance();
  };

  const move = (event) => {
    const now = point(event);
    const before = down.get(event.pointerId);
    if (!before) {
      if (event.pointerType === 'mouse') told.aim(now.x, now.y);
      return;
    }
    moved += Math.hypot(now.x - before.x, now.y - before.y);
    if (moved <= TAP_PX && down.size === 1) return;
    surface.setPointerCapture(event.pointerId);
    told.leave();
    down.set(event.pointerId, now);
    const share = 1 / down.size;
    camera.pan((now.x - before.x) * share, (now.y - before.y) * share);
    if (down.size === 2) {
      const [a, b] = [...down.values()];
      const wide = distance();
      camera.zoom(wide / Math.max(1, spread), (a.x + b.x) / 2, (a.y + b.y) / 2);
      spread = wide;
      moved = Infinity;
    }
  };

  const lift = (event) => {
    const was = down.get(event.pointerId);
    down.delete(event.pointerId);
    if (was && event.type === 'pointerup' && moved <= TAP_PX) told.tap(was.x, was.y);
  };

  const wheel = (event) => {
    event.preventDefault();
    // A wheel speaks in pixels, lines or pages; two fingers on a pad, which come with ctrl, in small pixels.
    const pixels = event.deltaY * [1, 16, 400][event.deltaMode];
    const {x, y} = point(event);
    camera.zoom(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0022)), x, y);
  };

  const on = /** @type {const} */ ([
    ['pointerdown', press], ['pointermove', move], ['pointerup', lift], ['pointercancel', lift],
    ['pointerleave', told.leave], ['wheel', wheel],
  ]);
  for (const [name, listener] of on) surface.addEventListener(name, listener, {passive: false});
  return () => { for (const [name, listener] of on) surface.removeEventListener(name, listener); };
}
