// @ts-check
/** What is wrong with what somebody has entered, told in the shape in which the service tells it. */

import {minorUnits} from '../format.js';
import {t} from '../text.js';

export class Faults extends Error {
  code = 'invalid_request';
  status = 0;

  /** @param {{field: string, message: string}[]} faults */
  constructor(faults) {
    super(faults.map(({field, message}) => `${field} ${message}`).join('; '));
    this.more = {errors: faults};
  }
}

/** A whole number that somebody has written; what is none is a fault of the field. */
export function readNumber(/** @type {string} */ text, /** @type {string} */ field) {
  if (!/^\d{1,9}$/.test(text.trim())) throw new Faults([{field, message: t('faults.number', {value: text.trim()})}]);
  return Number(text.trim());
}

/** An amount as people write it, 48 or 48.00 or 48,00, in minor units. What is none must never become nothing. */
export function readAmount(/** @type {string} */ text, /** @type {string} */ currency, /** @type {string} */ field) {
  if (!/^\d{1,9}([.,]\d{1,3})?$/.test(text.trim())) throw new Faults([{field, message: t('faults.amount', {value: text.trim()})}]);
  const unit = /^[a-z]{3}$/.test(currency) ? minorUnits(currency) : 100;
  return Math.round(Number(text.trim().replace(',', '.')) * unit);
}

/** Minutes that somebody has written, 90 or 1.5, in seconds. */
export function readMinutes(/** @type {string} */ text, /** @type {string} */ field) {
  if (!/^\d{1,7}([.,]\d{1,3})?$/.test(text.trim())) throw new Faults([{field, message: t('faults.minutes', {value: text.trim()})}]);
  return Math.round(Number(text.trim().replace(',', '.')) * 60);
}

/** Runs all of them and throws the faults of all. @template T @param {(() => T)[]} readings @returns {T[]} */
export function readAll(readings) {
  const faults = [];
  const values = readings.map((read) => {
    try {
      return read();
    } catch (fault) {
      if (!(fault instanceof Faults)) throw fault;
      faults.push(...fault.more.errors);
      return /** @type {any} */ (undefined);
    }
  });
  if (faults.length > 0) throw new Faults(faults);
  return values;
}
