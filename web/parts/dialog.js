// @ts-check
/** A question on top of the page that must be answered before anything happens. */

import {h} from '../dom.js';
import {t} from '../text.js';

/**
 * Shows a dialogue; closing it any other way than by its own buttons is a no.
 * @param {string} title @param {any[]} content @param {(close: () => void) => any[]} buttons
 */
export function ask(title, content, buttons) {
  const id = 'dialog-title';
  const dialog = h('dialog', {'aria-labelledby': id, close: () => dialog.remove()},
    h('h2', {id}, title), content, h('div', {class: 'row'}, buttons(() => dialog.close())));
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** The button that changes nothing. */
export const keep = (/** @type {() => void} */ close, key = 'sale.keep') => h('button', {type: 'button', click: close}, t(key));
