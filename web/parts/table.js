// @ts-check
/** A table of numbers, each row with its name first. */

import {h} from '../dom.js';
import {t} from '../text.js';

/** @param {string[]} head keys of the columns' words @param {any[][]} rows */
export const numbers = (head, rows) => h('table', {class: 'numbers'},
  h('thead', {}, h('tr', {}, head.map((key) => h('th', {scope: 'col'}, t(key))))),
  h('tbody', {}, rows.map(([first, ...rest]) => h('tr', {}, h('th', {scope: 'row'}, first), rest.map((value) => h('td', {}, value))))));
