// @ts-check
/** Standing areas: how many places of each. */

import {h} from '../dom.js';
import {count, money} from '../format.js';
import {t} from '../text.js';

export class Areas {
  /** @param {import('./choice.js').Choice} choice @param {(words: string) => void} say */
  constructor(choice, say) {
    this.choice = choice;
    this.rows = choice.chart.areas.map((area) => {
      const free = h('span', {class: 'quiet'});
      const number = h('output', {}, '0');
      const change = (by) => {
        const before = choice.places.get(area.number) ?? 0;
        const granted = choice.stand(area.number, before + by);
        if (granted === before) say(t(by > 0 && choice.size >= choice.limit ? 'reason.limit' : 'areas.no-more'));
        else say(t('areas.now', {n: granted, count: count(granted), area: area.name}));
      };
      const button = (by, name, sign) =>
        h('button', {type: 'button', 'aria-label': t(name, {area: area.name}), click: () => change(by)}, sign);
      const less = button(-1, 'areas.fewer', '−');
      const element = h('div', {class: 'area', role: 'group', 'aria-label': area.name},
        h('span', {class: `swatch c${area.category.colour + 1}`, 'aria-hidden': 'true'}),
        h('strong', {}, area.name), h('span', {}, money(area.category.price, choice.chart.currency)), free,
        h('span', {class: 'stepper'}, less, number, button(1, 'areas.more', '+')));
      return {area, element, free, number};
    });
    this.element = h('div', {class: 'areas'}, this.rows.map((row) => row.element));
    this.element.hidden = this.rows.length === 0;
    this.refresh();
  }

  refresh() {
    for (const {area, free, number} of this.rows) {
      const left = this.choice.picture.freeIn(area.number);
      free.textContent = left === 0 ? t('map.none-free') : t('map.free', {n: left, count: count(left)});
      number.textContent = String(this.choice.places.get(area.number) ?? 0);
    }
  }

  /** Brings the keyboard to an area's buttons. */
  focus(/** @type {number} */ area) { this.rows[area]?.element.querySelector('button:last-of-type')?.focus(); }
}
