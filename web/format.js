// @ts-check
/** Money, moments and numbers as people write them. */

import {language} from './text.js';

/** Makes something when it is first asked for: formats take time, and most pages need few. @template T */
const once = (/** @type {() => T} */ make) => {
  /** @type {T | undefined} */
  let made;
  return () => (made ??= make());
};
const number = once(() => new Intl.NumberFormat(language));
const day = once(() => new Intl.DateTimeFormat(language, {dateStyle: 'full', timeStyle: 'short'}));
const short = once(() => new Intl.DateTimeFormat(language, {dateStyle: 'medium', timeStyle: 'short'}));
const date = once(() => new Intl.DateTimeFormat(language, {dateStyle: 'medium', timeZone: 'UTC'}));
const clock = once(() => new Intl.DateTimeFormat(language, {timeStyle: 'medium'}));
/** @type {Map<string, {format: Intl.NumberFormat, unit: number}>} */
const currencies = new Map();
/** Where the smallest unit that is charged is not the one that browsers know. @type {Record<string, number>} */
const units = {isk: 100, mga: 1, iqd: 100, lyd: 100};

/** Minor units with their currency: 4800 and `eur` are €48.00. */
export function money(/** @type {number} */ minor, /** @type {string} */ currency) {
  let known = currencies.get(currency);
  if (!known) {
    const format = new Intl.NumberFormat(language, {style: 'currency', currency: currency.toUpperCase()});
    known = {format, unit: units[currency] ?? 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2)};
    currencies.set(currency, known);
  }
  return known.format.format(minor / known.unit);
}

/** How many minor units make one of the currency: 100 for `eur`, 1 for `jpy`. */
export function minorUnits(/** @type {string} */ currency) {
  money(0, currency);
  return currencies.get(currency)?.unit ?? 100;
}

export const count = (/** @type {number} */ value) => number().format(value);
export const whole = (/** @type {string} */ moment) => day().format(new Date(moment));
export const brief = (/** @type {string} */ moment) => short().format(new Date(moment));
export const time = (/** @type {string | number} */ moment) => clock().format(new Date(moment));

/** A day as the service counts them, `2031-05-01`. */
export const dayOf = (/** @type {string} */ text) => date().format(new Date(text));

/** Minutes and seconds, as on a clock that runs down. */
export function left(/** @type {number} */ ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
