// @ts-check
/** How many come, and the best seats for so many with one press. */

import {freshId, h} from '../dom.js';
import {money} from '../format.js';
import {t} from '../text.js';

/** Parties that come without a coach. */
const MOST = 20;

/**
 * @param {any} event as the service describes it
 * @param {(wish: {quantity: number, category?: string}) => Promise<void>} best
 * @param {(words: string) => void} say
 * @param {(words: string, act: () => Promise<any>, kind: string) => HTMLElement} button
 */
export function party(event, best, say, button) {
  const most = Math.min(MOST, event.max_per_customer ?? MOST);
  let people = Math.min(2, most);
  const number = h('output', {});
  const set = (value) => {
    people = Math.max(1, Math.min(most, value));
    number.textContent = String(people);
  };
  const step = (by, name, sign) => h('button', {type: 'button', 'aria-label': t(name), click: () => {
    set(people + by);
    say(t('party.people', {n: people}));
  }}, sign);
  const id = freshId('price');
  const prices = h('select', {id}, h('option', {value: ''}, t('party.any')),
    event.categories.map(({key, name, price}) => h('option', {value: key}, `${name} · ${money(price, event.currency)}`)));
  set(people);
  const act = () => best({quantity: people, ...prices.value && {category: prices.value}});
  return h('section', {class: 'panel party', 'aria-labelledby': 'party'},
    h('h2', {id: 'party'}, t('party.title')),
    h('div', {class: 'row'},
      h('div', {class: 'stepper', role: 'group', 'aria-labelledby': 'party'},
        step(-1, 'party.fewer', '−'), number, step(1, 'party.more', '+')),
      event.categories.length > 1 && h('div', {class: 'field inline'}, h('label', {for: id}, t('party.price')), prices),
      button(t('party.best'), act, 'main')),
    h('p', {class: 'quiet'}, t('party.how')));
}
