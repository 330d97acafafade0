// @ts-check
/** Giving seats to a guest by name: whose they are, and one press. */

import {fill, h} from '../dom.js';
import {t} from '../text.js';
import {Fields} from './fields.js';
import {button} from './frame.js';

export class Gift {
  #fields = new Fields();
  #act = h('div', {});

  /**
   * @param {import('./frame.js').Page} page @param {any} event
   * @param {{give: () => {seats: string[], areas: Record<string, number>}, reason: () => string, given: (name: string, seats: number) => void,
   *   refused: (seats: {id: string, reason: string}[]) => void}} of what is chosen, why, and what is told at the map
   */
  constructor(page, event, of) {
    this.page = page;
    this.event = event;
    this.of = of;
    this.element = h('section', {hidden: true, 'aria-labelledby': 'gift'},
      h('h3', {id: 'gift'}, t('gift.title')), h('p', {class: 'quiet'}, t('gift.how')),
      this.#fields.text('name', t('gift.name')), this.#fields.text('email', t('gift.email'), {type: 'email'}), this.#act);
  }

  /** So many seats are chosen. */
  set count(/** @type {number} */ n) {
    this.element.hidden = n === 0;
    fill(this.#act, n > 0 && button(this.page, t('gift.give', {n}), () => this.#give(n)));
  }

  async #give(/** @type {number} */ n) {
    const name = this.#fields.value('name');
    try {
      const done = await this.#fields.enter(() => this.page.api.post(`/v1/admin/events/${this.event.id}/comps`,
        {...this.of.give(), name, email: this.#fields.value('email'), reason: this.of.reason() || t('gift.title')}));
      if (!done) return;
    } catch (problem) {
      if (problem.code === 'seats_unavailable') this.of.refused(problem.more.seats);
      throw problem;
    }
    this.#fields.set('name', '');
    this.#fields.set('email', '');
    this.of.given(name, n);
  }
}
