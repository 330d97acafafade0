// @ts-check
/** Files of one's own: they need a token, so a plain link cannot fetch them. */

import {h} from '../dom.js';
import {button} from './frame.js';

/** How long a browser may take to write a file. */
const WRITING_MS = 60_000;

/**
 * A button that saves a file.
 * @param {import('./frame.js').Page} page @param {string} words @param {string} path @param {string} name of the file
 * @param {{kind?: string, label?: string}} look `label` says more to those who do not see where the button stands
 */
export function download(page, words, path, name, {kind = '', label} = {}) {
  const act = button(page, words, async () => {
    const href = URL.createObjectURL(await page.api.get(path, {blob: true}));
    h('a', {href, download: name}).click();
    setTimeout(() => URL.revokeObjectURL(href), WRITING_MS);
  }, kind);
  if (label) act.querySelector('button').setAttribute('aria-label', label);
  return act;
}
