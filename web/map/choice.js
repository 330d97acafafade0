// @ts-check
/** What somebody has chosen so far, seats and standing places. Knows no DOM and asks no service. */

/** @typedef {import('./chart.js').Chart} Chart @typedef {import('./picture.js').Picture} Picture */

/**
 * Sends `change` when the choice is another, and `lost` with `detail: {seats}` when somebody else took some of it.
 */
export class Choice extends EventTarget {
  /** @type {Set<number>} */ seats = new Set();
  /** Seats that are held for this very customer: for others they are taken. @type {Set<number>} */ yours = new Set();
  /** @type {Map<number, number>} places by area */ places = new Map();
  limit = Infinity;
  /** Whether seats that are blocked can be chosen, too: an organiser frees them. */
  manages = false;

  /** @param {Chart} chart @param {Picture} picture */
  constructor(chart, picture) {
    super();
    this.chart = chart;
    this.picture = picture;
  }

  get size() {
    let size = this.seats.size;
    for (const places of this.places.values()) size += places;
    return size;
  }

  get amount() {
    let amount = 0;
    for (const at of this.seats) amount += this.chart.seat(at).price;
    for (const [area, places] of this.places) amount += places * this.chart.areas[area].category.price;
    return amount;
  }

  /** By the names that the service knows. */
  get named() {
    const areas = [...this.places].map(([area, places]) => [this.chart.areas[area].key, places]);
    return {seats: [...this.seats].sort((a, b) => a - b).map((at) => this.chart.ids[at]), areas: Object.fromEntries(areas)};
  }

  canChoose(/** @type {number} */ at) {
    if (this.manages) return ['free', 'blocked'].includes(this.picture.stateOf(at));
    return this.picture.isFree(at) || this.yours.has(at);
  }

  /**
   * Adds a seat or takes it back. Answers what came of it.
   * @returns {'added' | 'removed' | 'taken' | 'limit'}
   */
  toggle(/** @type {number} */ at) {
    if (this.seats.delete(at)) {
      this.#tell();
      return 'removed';
    }
    if (!this.canChoose(at)) return 'taken';
    if (this.size >= this.limit) return 'limit';
    this.seats.add(at);
    this.#tell();
    return 'added';
  }

  /** So many places of an area, as far as there are and as one may have. Answers how many it became. */
  stand(/** @type {number} */ area, /** @type {number} */ places) {
    const others = this.size - (this.places.get(area) ?? 0);
    const granted = Math.max(0, Math.min(places, this.picture.freeIn(area), this.limit - others));
    if (granted === 0) this.places.delete(area); else this.places.set(area, granted);
    this.#tell();
    return granted;
  }

  /** Exactly these. */
  set(/** @type {Iterable<number>} */ seats, /** @type {Iterable<[number, number]>} */ places = []) {
    this.seats = new Set(seats);
    this.places = new Map(places);
    this.#tell();
  }

  /** Gives up what somebody else has taken meanwhile. */
  mind(/** @type {Iterable<number>} */ changed) {
    const lost = [...new Set(changed)].filter((at) => this.seats.has(at) && !this.canChoose(at));
    if (lost.length === 0) return;
    for (const at of lost) this.seats.delete(at);
    this.#tell();
    this.dispatchEvent(new CustomEvent('lost', {detail: {seats: lost}}));
  }

  #tell() { this.dispatchEvent(new Event('change')); }
}
