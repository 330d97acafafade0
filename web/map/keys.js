// @ts-check
/** The map by keyboard: arrows walk from seat to seat, Enter and Space choose, plus and minus zoom. */

const WAYS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
/** How far ahead a neighbour is looked for, in distances of neighbours; farther parts are reached by the list. */
const AHEAD = [1.6, 4, 10, 30, 120];

/** The seat that one reaches from a seat in a direction: the nearest that lies more ahead than aside. */
function neighbour(chart, from, [dx, dy]) {
  const [x, y] = [chart.x[from], chart.y[from]];
  for (const steps of AHEAD) {
    const reach = steps * chart.spacing;
    let [best, least] = [-1, Infinity];
    chart.within({x: x - reach, y: y - reach, width: 2 * reach, height: 2 * reach}, (at) => {
      const ahead = (chart.x[at] - x) * dx + (chart.y[at] - y) * dy;
      const aside = Math.abs((chart.x[at] - x) * dy) + Math.abs((chart.y[at] - y) * dx);
      if (at === from || ahead <= 0.01 || aside > ahead) return;
      const cost = ahead + aside * 2;
      if (cost < least) [best, least] = [at, cost];
    });
    if (best >= 0) return best;
  }
  return from;
}

/**
 * @param {HTMLElement} surface @param {import('./chart.js').Chart} chart @param {import('./camera.js').Camera} camera
 * @param {{at: () => number, go: (at: number) => void, choose: () => void, leave: () => void}} cursor
 * @returns {() => void} takes the listener away again
 */
export function followKeys(surface, chart, camera, cursor) {
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = WAYS[event.key];
    if (way && chart.size > 0) {
      const from = cursor.at();
      if (from >= 0) cursor.go(neighbour(chart, from, way));
      else cursor.go(Math.max(0, chart.nearest(camera.x, camera.y, chart.box.width + chart.box.height)));
    } else if (event.key === 'Enter' || event.key === ' ') cursor.choose();
    else if (event.key === '+' || event.key === '=') camera.step(1.5);
    else if (event.key === '-') camera.step(1 / 1.5);
    else if (event.key === '0') camera.showAll();
    else if (event.key === 'Escape') cursor.leave();
    else return;
    event.preventDefault();
  };
  surface.addEventListener('keydown', press);
  return () => surface.removeEventListener('keydown', press);
}
