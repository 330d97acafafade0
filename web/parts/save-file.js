// @ts-check
/** Handing a table over as a file. */

import {h} from '../dom.js';

/** A browser reads the file within this time, or never. */
const KEPT_MS = 60_000;
/** Spreadsheets take a file that begins so for UTF-8, and any other for what their system used long ago. */
const UTF8 = '\ufeff';

export function saveFile(/** @type {string} */ name, /** @type {string} */ text) {
  const href = URL.createObjectURL(new Blob([UTF8, text], {type: 'text/csv;charset=utf-8'}));
  h('a', {href, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(href), KEPT_MS);
}
