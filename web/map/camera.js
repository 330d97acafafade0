// @ts-check
/** Which part of the chart is seen, how large: the one place that turns chart units into pixels and back. */

/** The largest a seat is ever drawn, in pixels a unit. */
const CLOSEST = 64;
/** What stays free around the whole house: at the top for the tools. */
const [TOP, SIDE] = [58, 10];
/** How long a jump to somewhere else takes. */
const FLIGHT_MS = 260;

/** @typedef {import('./chart.js').Box} Box */

/** Sends `move` when the view has changed; `zoomed` is true when the scale has. */
export class Camera extends EventTarget {
  scale = 1;
  x = 0;
  y = 0;
  width = 1;
  height = 1;
  #box = {x: 0, y: 0, width: 1, height: 1};
  #flight = 0;

  constructor(/** @type {Box} */ box) {
    super();
    this.#box = box;
  }

  /** The scale at which everything is seen. */
  get farthest() {
    const [width, height] = [Math.max(1, this.width - 2 * SIDE), Math.max(1, this.height - TOP - SIDE)];
    return Math.min(width / this.#box.width, height / this.#box.height, CLOSEST / 2);
  }

  get seesAll() { return this.scale <= this.farthest * 1.05; }

  /** @returns {Box} the part of the chart that is seen */
  get seen() {
    const [width, height] = [this.width / this.scale, this.height / this.scale];
    return {x: this.x - width / 2, y: this.y - height / 2, width, height};
  }

  resize(/** @type {number} */ width, /** @type {number} */ height) {
    const sawAll = this.seesAll || this.width <= 1;
    [this.width, this.height] = [Math.max(1, width), Math.max(1, height)];
    if (sawAll) this.#to(this.#whole()); else this.#to(this);
  }

  toScreen(/** @type {number} */ x, /** @type {number} */ y) {
    return [(x - this.x) * this.scale + this.width / 2, (y - this.y) * this.scale + this.height / 2];
  }

  toChart(/** @type {number} */ left, /** @type {number} */ top) {
    return [(left - this.width / 2) / this.scale + this.x, (top - this.height / 2) / this.scale + this.y];
  }

  pan(/** @type {number} */ dx, /** @type {number} */ dy) {
    this.#land();
    this.#to({x: this.x - dx / this.scale, y: this.y - dy / this.scale, scale: this.scale});
  }

  /** Zooms so that what is under a point of the screen stays there. */
  zoom(/** @type {number} */ factor, left = this.width / 2, top = this.height / 2) {
    this.#land();
    const [x, y] = this.toChart(left, top);
    const scale = this.#bounded(this.scale * factor);
    this.#to({x: x - (left - this.width / 2) / scale, y: y - (top - this.height / 2) / scale, scale});
  }

  /** Zooms around the middle, in a short flight. */
  step(/** @type {number} */ factor) {
    this.#fly({x: this.x, y: this.y, scale: this.#bounded(this.scale * factor)});
  }

  showAll() { this.#fly(this.#whole()); }

  /** Shows a box, as large as it fits. */
  show(/** @type {Box} */ box) {
    const scale = Math.min(this.width / box.width, this.height / box.height) * 0.94;
    this.#fly({x: box.x + box.width / 2, y: box.y + box.height / 2, scale: this.#bounded(Math.min(scale, 40))});
  }

  /** Moves just so far that a point is seen, and near enough to be chosen. */
  reveal(/** @type {number} */ x, /** @type {number} */ y, least = this.scale) {
    const scale = this.#bounded(Math.max(this.scale, least));
    const [left, top] = this.toScreen(x, y);
    const margin = 40;
    const isSeen = left > margin && left < this.width - margin && top > margin && top < this.height - margin;
    if (!isSeen || scale !== this.scale) this.#fly({x, y, scale});
  }

  /** Puts the middle of the view there at once. */
  centre(/** @type {number} */ x, /** @type {number} */ y) {
    this.#land();
    this.#to({x, y, scale: this.scale});
  }

  #bounded(scale) { return Math.max(this.farthest * 0.9, Math.min(CLOSEST, scale)); }

  #whole() {
    const {x, y, width, height} = this.#box;
    const scale = this.farthest;
    return {x: x + width / 2, y: y + height / 2 - (TOP - SIDE) / 2 / scale, scale};
  }

  #fly(to) {
    this.#land();
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) { this.#to(to); return; }
    const from = {x: this.x, y: this.y, scale: this.scale};
    const start = performance.now();
    const step = (now) => {
      const part = Math.max(0, Math.min(1, (now - start) / FLIGHT_MS));
      const eased = 1 - (1 - part) ** 3;
      const scale = from.scale * (to.scale / from.scale) ** eased;
      this.#to({x: from.x + (to.x - from.x) * eased, y: from.y + (to.y - from.y) * eased, scale});
      this.#flight = part < 1 ? requestAnimationFrame(step) : 0;
    };
    this.#flight = requestAnimationFrame(step);
  }

  #land() {
    cancelAnimationFrame(this.#flight);
    this.#flight = 0;
  }

  /** Goes there, but never so far that nothing of the chart is left to see. */
  #to({x, y, scale}) {
    const zoomed = scale !== this.scale;
    const bound = (value, low, size, room) => {
      if (size <= room) return low + size / 2;
      return Math.max(low + room / 2, Math.min(low + size - room / 2, value));
    };
    this.scale = scale;
    // A margin of a quarter view, so that the outermost seats can be brought to where the eye is.
    const margin = (room) => room / 4;
    const [width, height] = [this.width / scale, this.height / scale];
    this.x = bound(x, this.#box.x - margin(width), this.#box.width + 2 * margin(width), width);
    this.y = bound(y, this.#box.y - margin(height), this.#box.height + 2 * margin(height), height);
    this.dispatchEvent(new CustomEvent('move', {detail: {zoomed}}));
  }
}
