// @ts-check
/** The card beside the seat that a mouse or a key points at, and the note at a seat that was refused. */

import {fill, h} from '../dom.js';
import {money} from '../format.js';
import {t} from '../text.js';
import {standing} from './say.js';

export class Card {
  element = h('div', {class: 'card', hidden: true, 'aria-hidden': 'true'});

  /** @param {import('./choice.js').Choice} choice @param {import('./camera.js').Camera} camera */
  constructor(choice, camera) {
    this.choice = choice;
    this.camera = camera;
  }

  /** Shows the card of a seat; of none when it is -1. `note` says why it was refused. */
  show(/** @type {number} */ at, /** @type {number} */ seatSize, note = '') {
    this.element.hidden = at < 0;
    if (at < 0) return;
    const {chart} = this.choice;
    const {section, row, name, price, category, accessible} = chart.seat(at);
    const state = standing(this.choice, at);
    fill(this.element,
      h('strong', {}, t('card.seat', {row, seat: name})), h('span', {}, section.name),
      h('span', {}, `${money(price, chart.currency)} · ${category.name}`),
      accessible && h('span', {}, t('seat.accessible')),
      note ? h('em', {}, note) : state !== 'free' && h('em', {class: 'quiet'}, t(`seat.${state}`)));
    this.element.classList.toggle('refusal', note !== '');
    this.place(...this.camera.toScreen(chart.x[at], chart.y[at]), seatSize);
  }

  /** Above the point, or below where there is no room. */
  place(/** @type {number} */ x, /** @type {number} */ y, seatSize = 0) {
    const {offsetWidth: width, offsetHeight: height} = this.element;
    const gap = seatSize / 2 + 10;
    const left = Math.max(4, Math.min(this.camera.width - width - 4, x - width / 2));
    const top = y - height - gap > 4 ? y - height - gap : y + gap;
    this.element.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
}
