// @ts-check
/**
 * The chart of an event, ready to be drawn and searched: seats are numbers from 0, their facts lie in arrays.
 *
 * A stadium has a hundred thousand seats. An object for each would cost more than drawing them all.
 */

/** The side of a cell of the search grid, in the chart's unit: the distance of two neighbours. */
const CELL = 4;
/** How many colours there are for categories; see `look.js`. */
const COLOURS = 8;

/** @typedef {{x: number, y: number, width: number, height: number}} Box */
/** @typedef {{key: string, name: string, price: number, colour: number, number: number, seats: number}} Category */
/** @typedef {{name: string, first: number, count: number, section: number}} Row */
/** @typedef {{key: string, name: string, number: number, first: number, count: number, rows: Row[], box: Box,
 *             hull: number[], low: number, high: number}} Section */
/** @typedef {{key: string, name: string, number: number, category: Category, capacity: number, box: Box}} Area */

export class Chart {
  /** @type {string[]} */ ids = [];
  /** @type {string[]} */ names = [];
  /** @type {Section[]} */ sections = [];
  /** @type {Row[]} */ rows = [];
  /** @type {Map<string, number>} */ #numbers = new Map();

  constructor(/** @type {any} */ drawing) {
    this.currency = /** @type {string} */ (drawing.currency);
    this.categories = drawing.categories.map((category, number) =>
      ({...category, number, colour: number % COLOURS, seats: 0}));
    const categoryOf = new Map(this.categories.map((category) => [category.key, category.number]));
    let size = 0;
    for (const section of drawing.sections) for (const row of section.rows) size += row.seats.length;
    this.size = size;
    this.x = new Float32Array(size);
    this.y = new Float32Array(size);
    this.category = new Uint16Array(size);
    this.row = new Uint32Array(size);
    this.accessible = new Uint8Array(size);
    this.#readSections(drawing.sections, categoryOf);
    this.areas = drawing.areas.map((area, number) => {
      const category = this.categories[categoryOf.get(area.category) ?? 0];
      category.seats += area.capacity;
      const box = {x: area.x, y: area.y, width: area.width, height: area.height};
      return {key: area.key, name: area.name, number, category, capacity: area.capacity, box};
    });
    this.areaNumbers = new Map(this.areas.map((area) => [area.key, area.number]));
    this.spacing = this.#spacing();
    for (const section of this.sections) this.#outline(section);
    this.box = around([...this.sections.map((one) => one.box), ...this.areas.map((one) => one.box)]);
    const deep = Math.max(1.4 * this.spacing, this.box.height * 0.05);
    this.stage = {x: this.box.x + this.box.width / 4, y: this.box.y - deep * 1.4, width: this.box.width / 2, height: deep};
    this.box = around([this.box, this.stage]);
    this.#buildGrid();
  }

  #readSections(sections, categoryOf) {
    let at = 0;
    for (const drawn of sections) {
      const number = this.sections.length;
      const own = categoryOf.get(drawn.category) ?? 0;
      const section = {key: drawn.key, name: drawn.name, number, first: at, count: 0, rows: /** @type {Row[]} */ ([]),
        box: {x: 0, y: 0, width: 0, height: 0}, hull: [], low: Infinity, high: -Infinity};
      for (const line of drawn.rows) {
        const row = {name: line.name, first: at, count: line.seats.length, section: number};
        for (const seat of line.seats) {
          const category = seat.category === undefined ? own : categoryOf.get(seat.category) ?? own;
          this.ids.push(seat.id);
          this.names.push(seat.name);
          this.#numbers.set(seat.id, at);
          this.x[at] = seat.x;
          this.y[at] = seat.y;
          this.category[at] = category;
          this.row[at] = this.rows.length;
          if (seat.accessible) this.accessible[at] = 1;
          this.categories[category].seats += 1;
          section.low = Math.min(section.low, this.categories[category].price);
          section.high = Math.max(section.high, this.categories[category].price);
          at += 1;
        }
        section.rows.push(row);
        this.rows.push(row);
      }
      section.count = at - section.first;
      this.sections.push(section);
    }
  }

  /** The number of the seat with this id, if the chart has it. */
  numberOf(/** @type {string} */ id) { return this.#numbers.get(id); }

  /** Everything that a person wants to know of a seat. */
  seat(/** @type {number} */ at) {
    const row = this.rows[this.row[at]];
    const category = this.categories[this.category[at]];
    return {id: this.ids[at], name: this.names[at], row: row.name, section: this.sections[row.section],
      category, price: category.price, accessible: this.accessible[at] === 1};
  }

  sectionOf(/** @type {number} */ at) { return this.sections[this.rows[this.row[at]].section]; }

  /** The usual distance of neighbours: how large a seat can be drawn without touching the next. */
  #spacing() {
    const gaps = [];
    for (let at = 1; at < this.size && gaps.length < 5000; at += 1) {
      if (this.row[at] !== this.row[at - 1]) continue;
      const gap = Math.hypot(this.x[at] - this.x[at - 1], this.y[at] - this.y[at - 1]);
      if (gap > 0) gaps.push(gap);
    }
    gaps.sort((a, b) => a - b);
    return gaps[Math.floor(gaps.length / 10)] ?? 1;
  }

  /** The box and the convex outline of a section, with room for its seats. */
  #outline(section) {
    const room = this.spacing * 0.8;
    const points = [];
    for (const row of section.rows) {
      // The ends of a row say where it lies; a bent row also reaches out in its middle.
      for (const at of new Set([row.first, row.first + (row.count >> 1), row.first + row.count - 1])) {
        for (const [dx, dy] of [[-room, -room], [room, -room], [room, room], [-room, room]]) {
          points.push([this.x[at] + dx, this.y[at] + dy]);
        }
      }
    }
    section.hull = hull(points).flat();
    const xs = section.hull.filter((_, at) => at % 2 === 0);
    const ys = section.hull.filter((_, at) => at % 2 === 1);
    section.box = {x: Math.min(...xs), y: Math.min(...ys),
      width: Math.max(...xs) - Math.min(...xs), height: Math.max(...ys) - Math.min(...ys)};
  }

  #buildGrid() {
    const cell = CELL * this.spacing;
    const columns = Math.max(1, Math.ceil(this.box.width / cell) + 1);
    const lines = Math.max(1, Math.ceil(this.box.height / cell) + 1);
    const cellOf = (at) => Math.floor((this.y[at] - this.box.y) / cell) * columns
      + Math.floor((this.x[at] - this.box.x) / cell);
    const starts = new Uint32Array(columns * lines + 1);
    for (let at = 0; at < this.size; at += 1) starts[cellOf(at) + 1] += 1;
    for (let at = 1; at < starts.length; at += 1) starts[at] += starts[at - 1];
    const next = starts.slice();
    const items = new Uint32Array(this.size);
    for (let at = 0; at < this.size; at += 1) items[next[cellOf(at)]++] = at;
    this.grid = {cell, columns, lines, starts, items};
  }

  /** Calls `each` with every seat of a box. */
  within(/** @type {Box} */ box, /** @type {(at: number) => void} */ each) {
    const {cell, columns, lines, starts, items} = this.grid;
    const clamp = (value, most) => Math.max(0, Math.min(most, value));
    const left = clamp(Math.floor((box.x - this.box.x) / cell), columns - 1);
    const right = clamp(Math.floor((box.x + box.width - this.box.x) / cell), columns - 1);
    const top = clamp(Math.floor((box.y - this.box.y) / cell), lines - 1);
    const bottom = clamp(Math.floor((box.y + box.height - this.box.y) / cell), lines - 1);
    for (let line = top; line <= bottom; line += 1) {
      const end = starts[line * columns + right + 1];
      for (let item = starts[line * columns + left]; item < end; item += 1) {
        const at = items[item];
        const inside = this.x[at] >= box.x && this.x[at] < box.x + box.width
          && this.y[at] >= box.y && this.y[at] < box.y + box.height;
        if (inside) each(at);
      }
    }
  }

  /** The seat nearest to a point, no farther than `reach`; -1 when there is none. */
  nearest(/** @type {number} */ x, /** @type {number} */ y, reach = this.spacing * 0.6) {
    let [best, least] = [-1, reach];
    this.within({x: x - reach, y: y - reach, width: 2 * reach, height: 2 * reach}, (at) => {
      const distance = Math.hypot(this.x[at] - x, this.y[at] - y);
      if (distance < least) [best, least] = [at, distance];
    });
    return best;
  }

  sectionAt(/** @type {number} */ x, /** @type {number} */ y) {
    return this.sections.find(({box, hull: outline}) => inBox(box, x, y) && inHull(outline, x, y));
  }

  areaAt(/** @type {number} */ x, /** @type {number} */ y) { return this.areas.find(({box}) => inBox(box, x, y)); }
}

const inBox = (box, x, y) => x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;

function inHull(points, x, y) {
  for (let at = 0; at < points.length; at += 2) {
    const next = (at + 2) % points.length;
    const [dx, dy] = [points[next] - points[at], points[next + 1] - points[at + 1]];
    if (dx * (y - points[at + 1]) - dy * (x - points[at]) < 0) return false;
  }
  return true;
}

/** @param {Box[]} boxes @returns {Box} */
function around(boxes) {
  if (boxes.length === 0) return {x: 0, y: 0, width: 1, height: 1};
  const left = Math.min(...boxes.map((box) => box.x));
  const top = Math.min(...boxes.map((box) => box.y));
  return {x: left, y: top, width: Math.max(...boxes.map((box) => box.x + box.width)) - left,
    height: Math.max(...boxes.map((box) => box.y + box.height)) - top};
}

/** The convex outline of points, by Andrew's monotone chain, in the direction of growing angles. */
function hull(points) {
  const sorted = points.slice().sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const turn = (a, b, c) => (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
  const half = (list) => {
    const chain = [];
    for (const point of list) {
      while (chain.length > 1 && turn(chain[chain.length - 2], chain[chain.length - 1], point) <= 0) chain.pop();
      chain.push(point);
    }
    chain.pop();
    return chain;
  };
  return [...half(sorted), ...half(sorted.reverse())];
}
