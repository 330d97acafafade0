// @ts-check
/** Charts from files: JSON as the service takes it, or a table of seats. */

import {t} from '../text.js';
import {Faults, readAmount} from './faults.js';
import {keyOf} from './section-fields.js';

/** Faults of a file, each of which says its line. */
const inFile = (/** @type {string[]} */ messages) => new Faults(messages.map((message) => ({field: '', message})));

const NEEDED = ['section', 'row', 'seat', 'category', 'price'];
/** Columns that must hold a number where they hold anything. */
const NUMBERS = ['x', 'y'];

/** The part of the event's form that a file describes. */
export function readChart(/** @type {string} */ text, /** @type {string} */ currency) {
  return text.trimStart().startsWith('{') ? readJson(text) : readCsv(text, currency);
}

function readJson(text) {
  try {
    return JSON.parse(text);
  } catch (fault) {
    throw inFile([t('json.broken', {message: fault.message})]);
  }
}

function readCsv(text, currency) {
  const faults = [];
  const rows = cells(text, faults);
  const columns = (rows.shift()?.values ?? []).map((name) => name.trim().toLowerCase());
  if (faults.length === 0 && !NEEDED.every((name) => columns.includes(name))) faults.push(t('csv.header'));
  if (faults.length > 0) throw inFile(faults);
  if (rows.length === 0) throw inFile([t('csv.empty')]);
  const prices = new Map();
  const sections = new Map();
  for (const {line, values} of rows) {
    const cell = Object.fromEntries(columns.map((name, at) => [name, (values[at] ?? '').trim()]));
    const missing = NEEDED.filter((column) => !cell[column]);
    for (const column of missing) faults.push(t('csv.missing', {line, column}));
    for (const column of NUMBERS) {
      if (cell[column] && !Number.isFinite(Number(cell[column]))) faults.push(t('csv.number', {line, column, value: cell[column]}));
    }
    if (missing.length > 0) continue;
    if (!/^\d+([.,]\d{1,3})?$/.test(cell.price)) {
      faults.push(t('csv.price', {line, value: cell.price}));
      continue;
    }
    const price = readAmount(cell.price, currency, '');
    if ((prices.get(cell.category) ?? price) !== price) faults.push(t('csv.prices', {line, category: cell.category}));
    prices.set(cell.category, price);
    if (!sections.has(cell.section)) sections.set(cell.section, {category: cell.category, rows: new Map()});
    const section = sections.get(cell.section);
    if (!section.rows.has(cell.row)) section.rows.set(cell.row, []);
    const seat = {name: cell.seat, ...cell.category !== section.category && {category: cell.category},
      ...['1', 'yes', 'true', 'x'].includes((cell.accessible ?? '').toLowerCase()) && {accessible: true},
      ...cell.x && cell.y && {x: Number(cell.x), y: Number(cell.y)}};
    section.rows.get(cell.row).push(seat);
  }
  if (faults.length > 0) throw inFile(faults);
  const categoryKeys = keysOf(prices.keys());
  const sectionKeys = keysOf(sections.keys());
  const keyed = ({category, ...seat}) => ({...seat, ...category !== undefined && {category: categoryKeys.get(category)}});
  return {
    categories: [...prices].map(([name, price]) => ({key: categoryKeys.get(name), name, price})),
    sections: [...sections].map(([name, {category, rows: lines}]) => ({key: sectionKeys.get(name), name, category: categoryKeys.get(category),
      rows: [...lines].map(([row, seats]) => ({name: row, seats: seats.map(keyed)}))})),
  };
}

/** A key for each name, no two alike. */
function keysOf(/** @type {Iterable<string>} */ names) {
  const keys = new Map();
  const used = new Set();
  for (const name of names) {
    let key = keyOf(name, keys.size);
    if (used.has(key)) key = `${key}_${keys.size + 1}`;
    used.add(key);
    keys.set(name, key);
  }
  return keys;
}

/** The cells of a table with commas or semicolons, quoted where they hold one (RFC 4180), with their lines. */
function cells(/** @type {string} */ text, /** @type {string[]} */ faults) {
  const head = text.slice(0, text.search(/\r?\n|$/));
  const comma = head.includes(';') && !head.includes(',') ? ';' : ',';
  const rows = [];
  let [values, cell, quoted, line, started] = [/** @type {string[]} */ ([]), '', false, 1, 1];
  const end = () => {
    values.push(cell);
    if (values.some((value) => value.trim())) rows.push({line: started, values});
    [values, cell, started] = [[], '', line + 1];
  };
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text[at + 1] === '"') { cell += '"'; at += 1; } else quoted = false;
    } else if (letter === '"') quoted = true;
    else if (letter === comma) { values.push(cell); cell = ''; } else if (letter === '\n') end();
    else if (letter !== '\r') cell += letter;
    if (letter === '\n') line += 1;
  }
  if (quoted) faults.push(t('csv.quotes', {line: started}));
  end();
  return rows;
}
