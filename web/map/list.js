// @ts-check
/**
 * The same seats as a list: section, row, seat. For whoever does not see the map, or cannot point at it.
 * Rows are filled when they are opened: a stadium's seats are not a hundred thousand buttons.
 */

import {fill, freshId, h} from '../dom.js';
import {count} from '../format.js';
import {t} from '../text.js';
import {sayPrices, sayReason, sayWhole, standing} from './say.js';

export class List {
  /** Opened rows and the buttons of their seats. @type {Map<number, any>} */ #buttons = new Map();
  /** @type {Map<number, any>} */ #rowCounts = new Map();
  /** @type {any[]} */ #sectionCounts = [];

  /**
   * @param {import('./choice.js').Choice} choice
   * @param {{toggle: (at: number) => void, notes: Map<number, string>}} map
   */
  constructor(choice, map) {
    this.choice = choice;
    this.map = map;
    const {chart} = choice;
    this.sections = h('ul', {class: 'sections'}, chart.sections.map((section) => this.#section(section)));
    this.element = h('details', {class: 'list'}, h('summary', {}, t('list.open')),
      h('p', {class: 'quiet'}, t('list.how')), this.sections);
    this.element.hidden = chart.size === 0;
    this.refresh(null);
  }

  /** Opens the list and brings the keyboard to it. */
  open() {
    this.element.open = true;
    this.element.querySelector('summary').focus();
  }

  #section(section) {
    const {chart} = this.choice;
    const place = h('span', {class: 'quiet'});
    this.#sectionCounts.push(place);
    const rows = h('ul', {class: 'rows', hidden: true, id: freshId('rows')});
    return h('li', {}, opener(rows, () => section.rows.map((row) => this.#row(row)),
      h('strong', {}, section.name), h('span', {}, sayPrices(section, chart.currency)), place), rows);
  }

  #row(row) {
    const place = h('span', {class: 'quiet'});
    const seats = h('ul', {class: 'seats', hidden: true, id: freshId('seats')});
    this.#rowCounts.set(row.first, {row, place});
    this.#countRow(row.first);
    const fillSeats = () => Array.from({length: row.count}, (_, index) => this.#seat(row.first + index));
    return h('li', {}, opener(seats, fillSeats, h('strong', {}, t('list.row', {row: row.name})), place), seats);
  }

  #seat(at) {
    const button = h('button', {type: 'button', click: () => this.map.toggle(at)}, this.choice.chart.names[at]);
    this.#buttons.set(at, button);
    this.#mark(at);
    return h('li', {}, button);
  }

  /** Says of these seats how they stand now; of all when it is null. */
  refresh(/** @type {Iterable<number> | null} */ seats) {
    const {chart, picture} = this.choice;
    for (const [number, place] of this.#sectionCounts.entries()) {
      const free = picture.sectionFree[number];
      const words = free === 0 ? t('map.none-free') : t('map.free', {n: free, count: count(free)});
      if (place.textContent !== words) place.textContent = words;
    }
    for (const at of seats ?? this.#buttons.keys()) {
      this.#mark(at);
      this.#countRow(chart.rows[chart.row[at]].first);
    }
    if (!seats) for (const first of this.#rowCounts.keys()) this.#countRow(first);
  }

  #mark(at) {
    const button = this.#buttons.get(at);
    if (!button) return;
    const state = standing(this.choice, at);
    const note = this.map.notes.get(at);
    button.dataset.state = state;
    button.setAttribute('aria-pressed', String(this.choice.seats.has(at)));
    // Still to be reached: a button that goes away takes the reader's place in the list with it.
    button.setAttribute('aria-disabled', String(!this.choice.canChoose(at)));
    button.setAttribute('aria-label', note ? `${sayWhole(this.choice, at)}. ${sayReason(note)}` : sayWhole(this.choice, at));
    button.classList.toggle('refusal', Boolean(note));
  }

  #countRow(first) {
    const known = this.#rowCounts.get(first);
    if (!known) return;
    let free = 0;
    for (let at = first; at < first + known.row.count; at += 1) free += Number(this.choice.picture.isFree(at));
    known.place.textContent = free === 0 ? t('map.none-free') : t('map.free', {n: free, count: count(free)});
  }
}

/** A button that opens and closes a part, which is filled the first time. */
function opener(part, content, ...words) {
  let filled = false;
  const button = h('button', {
    type: 'button', 'aria-expanded': 'false', 'aria-controls': part.id, click: () => {
      if (!filled) fill(part, content());
      filled = true;
      part.hidden = !part.hidden;
      button.setAttribute('aria-expanded', String(!part.hidden));
    },
  }, words);
  return button;
}
