// @ts-check
/** Seats as lines of a summary: what they are called, what they cost, and what all of them cost. */

import {h} from '../dom.js';
import {money} from '../format.js';
import {t} from '../text.js';

/**
 * What people call a seat of a hold or an order.
 * @param {{section: string, row: string | null, seat: string | null}} seat @param {Map<string, string>} names of sections and areas
 */
export function seatName(seat, names) {
  const section = names.get(seat.section) ?? seat.section;
  return seat.row === null ? t('seat.standing', {area: section}) : t('seat.place', {section, row: seat.row, seat: seat.seat});
}

/** The names of an event's sections and areas by their keys. @returns {Map<string, string>} */
export function namesOf(/** @type {any} */ event) {
  return new Map([...event.sections, ...event.areas].map(({key, name}) => [key, name]));
}

/** Seats with prices and their sum. @param {any[]} seats @param {string} currency @param {Map<string, string>} names */
export function seatTable(seats, currency, names) {
  const total = seats.reduce((sum, seat) => sum + seat.price, 0);
  return h('table', {class: 'seats'},
    h('tbody', {}, seats.map((seat) => h('tr', {}, h('th', {scope: 'row'}, seatName(seat, names)), h('td', {}, money(seat.price, currency))))),
    h('tfoot', {}, h('tr', {}, h('th', {scope: 'row'}, t('basket.total')), h('td', {}, money(total, currency)))));
}
