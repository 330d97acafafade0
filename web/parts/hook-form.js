// @ts-check
/** The fields of a new endpoint: where, and of what it wants to be told. */

import {freshId, h} from '../dom.js';
import {t} from '../text.js';

/** What one can be told of, as the service calls it. */
const TYPES = ['hold.created', 'hold.expired', 'hold.released', 'order.confirmed', 'order.cancelled', 'order.refunded',
  'waitlist.offered', 'event.sold_out'];

/** Types in the words of people; `*` is all of them. */
export const typeNames = (/** @type {string[]} */ types) => types.map((type) => (type === '*' ? t('hooks.all') : type)).join(', ');

export class HookForm {
  #url = h('input', {id: freshId('url'), type: 'url', required: true, autocomplete: 'off', spellcheck: 'false', placeholder: 'https://'});
  #description = h('input', {id: freshId('description'), maxlength: 200, autocomplete: 'off'});
  /** @type {Map<string, any>} */
  #boxes = new Map(TYPES.map((type) => [type, h('input', {id: freshId('type'), type: 'checkbox', value: type, checked: true})]));

  constructor() {
    const boxes = [...this.#boxes].map(([type, box]) => h('div', {class: 'choice'}, box,
      h('label', {for: box.id}, h('code', {}, type), ' ', h('small', {}, t(`hooks.type-${type}`)))));
    this.element = h('div', {},
      h('div', {class: 'field'}, h('label', {for: this.#url.id}, t('hooks.url')), this.#url),
      h('div', {class: 'field'}, h('label', {for: this.#description.id}, t('hooks.description')), this.#description),
      h('fieldset', {}, h('legend', {}, t('hooks.types')), boxes));
  }

  /** What was entered, as the service takes it. Whoever wants everything also hears of what will be added. */
  wish() {
    const chosen = TYPES.filter((type) => this.#boxes.get(type).checked);
    const events = chosen.length === TYPES.length ? ['*'] : chosen;
    return {url: this.#url.value.trim(), description: this.#description.value.trim(), events};
  }

  clear() {
    this.#url.value = '';
    this.#description.value = '';
  }
}
