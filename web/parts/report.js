// @ts-check
/** A sale in tables: what was sold where, when and for how much, to read here and to take home. */

import {fill, h} from '../dom.js';
import {brief, count, dayOf, money} from '../format.js';
import {t} from '../text.js';
import {button} from './frame.js';
import {bars} from './plot.js';
import {saveFile} from './save-file.js';
import {namesOf} from './seats.js';
import {numbers} from './table.js';

export class Report {
  element = h('div', {});
  #shown = '';

  /** @param {any} event as its organiser sees it */
  constructor(event) {
    this.event = event;
    this.categories = new Map(event.categories.map(({key, name}) => [key, name]));
    this.parts = namesOf(event);
  }

  /** Shows how the sale stands now. A table that is read is not taken away while nothing has changed. */
  show(/** @type {any} */ now) {
    const {timeline, orders, categories, sections, days, refunded} = now;
    const text = JSON.stringify([timeline, orders, categories, sections, days, refunded]);
    if (text === this.#shown) return;
    this.#shown = text;
    const cash = (amount) => money(amount, this.event.currency);
    const sold = (name) => (row) => [name(row), count(row.sold), cash(row.revenue)];
    const seats = timeline.reduce((sum, bucket) => sum + bucket.seats, 0);
    fill(this.element,
      timeline.length > 0 && h('section', {class: 'panel spaced', 'aria-labelledby': 'timeline'}, h('h2', {id: 'timeline'}, t('sale.timeline')),
        bars(timeline.map((bucket) => bucket.seats), t('sale.timeline-says', {sold: count(seats), from: brief(timeline[0].at), to: brief(timeline[timeline.length - 1].at)}))),
      h('div', {class: 'columns'},
        panel('sale.by-category', ['sale.category', 'sale.sold', 'sale.revenue'], categories.map(sold(({category}) => this.categories.get(category) ?? category))),
        panel('sale.by-section', ['sale.section', 'sale.sold', 'sale.revenue'], sections.map(sold(({section}) => this.parts.get(section) ?? section))),
        panel('sale.by-day', ['sale.day', 'sale.sold', 'sale.revenue'], days.map(sold(({day}) => dayOf(day)))),
        panel('sale.by-state', ['sale.state', 'sale.count', 'sale.amount'],
          orders.map(({status, orders: number, amount}) => [t(`order-state.${status}`), count(number), cash(amount)]),
          refunded > 0 && h('p', {}, `${t('sale.refunded')}: ${cash(refunded)}`))));
  }
}

function panel(title, head, rows, ...more) {
  const id = title.replace('.', '-');
  return h('section', {class: 'panel', 'aria-labelledby': id}, h('h2', {id}, t(title)), numbers(head, rows), ...more);
}

/** What can be taken home: its words, where it is, and how the file is called. */
const FILES = [
  {words: 'take.orders', path: 'orders.csv', name: 'orders'}, {words: 'take.by-category', path: 'report.csv?by=category', name: 'by-category'},
  {words: 'take.by-section', path: 'report.csv?by=section', name: 'by-section'}, {words: 'take.by-day', path: 'report.csv?by=day', name: 'by-day'},
];

/** Buttons, because these tables are not for everybody: a link could not say who asks. */
export function downloads(/** @type {import('./frame.js').Page} */ page, /** @type {any} */ event) {
  const save = ({words, path, name}) => button(page, t(words), async () => {
    saveFile(`${name}-${event.id}.csv`, await page.api.get(`/v1/admin/events/${event.id}/${path}`, {text: true}));
  });
  return h('section', {class: 'panel spaced', 'aria-labelledby': 'files'}, h('h2', {id: 'files'}, t('take.title')),
    h('div', {class: 'row'}, FILES.map(save)));
}
