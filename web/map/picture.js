// @ts-check
/** Which seats are not free, as the service last said, with the counts that a page shows. Knows no DOM. */

export const STATES = /** @type {const} */ (['free', 'held', 'sold', 'blocked']);
const [FREE] = [0];
const numberOf = new Map(STATES.map((state, number) => [/** @type {string} */ (state), number]));

/** More changes at once than this, and everything is looked at anew. */
const MANY = 4000;

/** @typedef {import('./chart.js').Chart} Chart */

/**
 * Sends `change` with `detail: {seats}`: the seats that changed, or null when all may have.
 */
export class Picture extends EventTarget {
  #chart;

  constructor(/** @type {Chart} */ chart) {
    super();
    this.#chart = chart;
    this.states = new Uint8Array(chart.size);
    /** The states of standing places, area by area. */
    this.places = chart.areas.map((area) => new Uint8Array(area.capacity));
    this.version = '';
    this.#count();
  }

  /** @returns {'free' | 'held' | 'sold' | 'blocked'} */
  stateOf(/** @type {number} */ at) { return STATES[this.states[at]]; }

  isFree(/** @type {number} */ at) { return this.states[at] === FREE; }

  /** Free places of a standing area. */
  freeIn(/** @type {number} */ area) { return this.areaFree[area]; }

  /** Everything anew. */
  reset(/** @type {{version: string, taken: Record<string, string>}} */ {version, taken}) {
    const before = this.states.slice();
    this.states.fill(FREE);
    for (const places of this.places) places.fill(FREE);
    for (const [id, state] of Object.entries(taken)) this.#set(id, numberOf.get(state) ?? FREE);
    this.version = version;
    this.#count();
    const changed = [];
    for (let at = 0; at < before.length; at += 1) if (before[at] !== this.states[at]) changed.push(at);
    this.#tell(changed.length < MANY ? changed : null);
  }

  /** What has changed since. */
  apply(/** @type {{version: string, changes: {id: string, state: string}[]}} */ {version, changes}) {
    const seats = [];
    for (const {id, state} of changes) {
      const at = this.#set(id, numberOf.get(state) ?? FREE);
      if (at >= 0) seats.push(at);
    }
    this.version = version;
    this.#tell(seats);
  }

  /** Sets a seat's state and answers its number; -1 for a standing place. */
  #set(id, state) {
    const at = this.#chart.numberOf(id);
    if (at !== undefined) {
      this.#move(this.states[at], state, this.#chart.category[at]);
      const section = this.#chart.sectionOf(at).number;
      this.sectionFree[section] += Number(state === FREE) - Number(this.states[at] === FREE);
      this.states[at] = state;
      return at;
    }
    // A standing place is called after its area and its number in it.
    const dash = id.lastIndexOf('-');
    const area = this.#chart.areaNumbers.get(id.slice(0, dash));
    const place = Number(id.slice(dash + 1)) - 1;
    if (area === undefined || !(place >= 0 && place < this.places[area].length)) return -1;
    this.#move(this.places[area][place], state, this.#chart.areas[area].category.number);
    this.areaFree[area] += Number(state === FREE) - Number(this.places[area][place] === FREE);
    this.places[area][place] = state;
    return -1;
  }

  #move(from, to, category) {
    this.counts[from] -= 1;
    this.counts[to] += 1;
    this.categoryFree[category] += Number(to === FREE) - Number(from === FREE);
  }

  /** All counts from nothing. */
  #count() {
    const chart = this.#chart;
    this.counts = [0, 0, 0, 0];
    this.sectionFree = new Uint32Array(chart.sections.length);
    this.categoryFree = new Uint32Array(chart.categories.length);
    this.areaFree = new Uint32Array(chart.areas.length);
    for (const section of chart.sections) {
      for (let at = section.first; at < section.first + section.count; at += 1) {
        this.counts[this.states[at]] += 1;
        if (this.states[at] !== FREE) continue;
        this.sectionFree[section.number] += 1;
        this.categoryFree[chart.category[at]] += 1;
      }
    }
    for (const [area, places] of this.places.entries()) {
      for (const state of places) this.counts[state] += 1;
      this.areaFree[area] = places.reduce((free, state) => free + Number(state === FREE), 0);
      this.categoryFree[chart.areas[area].category.number] += this.areaFree[area];
    }
  }

  #tell(/** @type {number[] | null} */ seats) { this.dispatchEvent(new CustomEvent('change', {detail: {seats}})); }
}
