// @ts-check
/** What is said of a seat, in one sentence: to people who listen, and on the card. */

import {money} from '../format.js';
import {t} from '../text.js';

/** @typedef {import('./chart.js').Chart} Chart @typedef {import('./choice.js').Choice} Choice */

/** How a seat stands for this customer: `chosen` and `yours` go before what others see. */
export function standing(/** @type {Choice} */ choice, /** @type {number} */ at) {
  if (choice.seats.has(at)) return choice.yours.has(at) ? 'yours' : 'chosen';
  if (choice.yours.has(at)) return 'yours';
  return choice.picture.stateOf(at);
}

/** Section, row, seat, price and state. */
export function sayWhole(/** @type {Choice} */ choice, /** @type {number} */ at) {
  const {section, row, name, price, accessible} = choice.chart.seat(at);
  const place = t('seat.place', {section: section.name, row, seat: name});
  const more = [money(price, choice.chart.currency), ...accessible ? [t('seat.accessible')] : [], t(`seat.${standing(choice, at)}`)];
  return [place, ...more].join(', ');
}

/** Why the service refused a seat, in words for its place. */
export const sayReason = (/** @type {string} */ reason) => t(`reason.${reason}`);

/** What a section costs: one price, or from the lowest to the highest. */
export function sayPrices(/** @type {import('./chart.js').Section} */ {low, high}, /** @type {string} */ currency) {
  if (low === high) return money(low, currency);
  return t('map.range', {low: money(low, currency), high: money(high, currency)});
}
