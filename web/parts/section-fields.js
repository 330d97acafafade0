// @ts-check
/** Sections of equal rows, described by a few numbers each: enough for most halls. */

import {freshId, h} from '../dom.js';
import {t} from '../text.js';
import {readAll, readAmount, readNumber} from './faults.js';

/** More rows than any hall has: what is typed by mistake must not fill the memory. */
const MOST_ROWS = 2000;

export class SectionFields {
  #list = h('div', {});
  /** @type {any[]} */ #parts = [];

  constructor() {
    this.element = h('div', {}, h('p', {}, h('strong', {}, t('new.sections'))), this.#list,
      h('p', {}, h('button', {type: 'button', click: () => this.#add('', '8', '12', '20.00').querySelector('input').focus()}, t('new.section-add'))));
    this.#add('Stalls', '10', '20', '45.00');
    this.#add('Balcony', '4', '24', '29.00');
  }

  #add(name, rows, seats, price) {
    const input = (key, value, props = {}) => {
      const id = freshId(key);
      const box = h('input', {id, value, autocomplete: 'off', ...props});
      return {box, element: h('div', {class: 'field'}, h('label', {for: id}, t(`new.section-${key}`)), box)};
    };
    const part = {
      name: input('name', name), rows: input('rows', rows, {inputmode: 'numeric'}),
      seats: input('seats', seats, {inputmode: 'numeric'}), price: input('price', price, {inputmode: 'decimal'}),
    };
    const number = this.#parts.length + 1;
    const element = h('div', {class: 'fields five', role: 'group', 'aria-label': t('new.section', {n: number})},
      Object.values(part).map((one) => one.element),
      h('button', {type: 'button', class: 'plain', 'aria-label': t('new.section-remove', {n: number}), click: () => {
        this.#parts.splice(this.#parts.indexOf(part), 1);
        element.remove();
      }}, '×'));
    this.#parts.push(part);
    this.#list.append(element);
    return element;
  }

  /** Categories and sections as the service takes them: a section's price is a category of its own. */
  read(/** @type {string} */ currency) {
    const named = readAll(this.#parts.map((part, at) => () => {
      const name = part.name.box.value.trim();
      const field = (key) => `${name || t('new.section', {n: at + 1})}, ${t(`new.section-${key}`)}`;
      const [rows, seats, price] = readAll([
        () => readNumber(part.rows.box.value, field('rows')), () => readNumber(part.seats.box.value, field('seats')),
        () => readAmount(part.price.box.value, currency, field('price'))]);
      return {key: keyOf(name, at), name, rows, seats, price};
    }));
    return {
      categories: named.map(({key, name, price}) => ({key, name, price})),
      sections: named.map(({key, name, rows, seats}) => ({key, name, category: key,
        rows: Array.from({length: Math.min(MOST_ROWS, rows)}, (_, row) => ({name: letters(row), seats}))})),
    };
  }
}

/** A short name that the service takes as a key. */
export const keyOf = (/** @type {string} */ name, /** @type {number} */ at) => name.trim().toLowerCase().replace(/[^a-z0-9]+/g, '_').replace(/^_|_$/g, '') || `part${at + 1}`;

/** A, B, … Z, AA, AB, … as rows are called. */
function letters(/** @type {number} */ row) {
  let name = '';
  for (let rest = row; rest >= 0; rest = Math.floor(rest / 26) - 1) name = String.fromCharCode(65 + rest % 26) + name;
  return name;
}
