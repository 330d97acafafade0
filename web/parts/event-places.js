// @ts-check
/** The places of an event: a few numbers, rows, a file, or those that it has already. */

import {freshId, h} from '../dom.js';
import {t} from '../text.js';
import {readChart} from './chart-file.js';
import {readAll, readAmount, readNumber} from './faults.js';
import {Fields} from './fields.js';
import {SectionFields} from './section-fields.js';

export class EventPlaces {
  fields = new Fields();
  #sections = new SectionFields();
  #chart = h('textarea', {id: 'chart', spellcheck: 'false', 'aria-describedby': 'chart-help'});
  /** How the places are described: keep, rows, simple or chart. */
  #kind;
  /** The parts for each kind, of which one is seen. @type {Record<string, HTMLElement>} */ #ways;

  /** @param {string | null} kept the currency of an event that has its places already */
  constructor(kept = null) {
    this.#ways = {...kept && {keep: h('div', {})}, rows: this.#sections.element, simple: this.#simple(), chart: this.#fromFile()};
    this.#kind = kept ? 'keep' : 'rows';
    this.currency = this.fields.text('currency', t('new.currency'), {value: kept ?? 'eur', maxlength: 3});
    this.element = h('fieldset', {}, h('legend', {}, t('new.places')),
      h('div', {role: 'radiogroup', 'aria-label': t('new.kind')}, Object.keys(this.#ways).map((kind) => this.#choice(kind))),
      this.currency, Object.values(this.#ways));
    this.#choose(this.#kind);
  }

  /** Whether the event keeps the places that it has. */
  get areKept() { return this.#kind === 'keep'; }

  #simple() {
    return h('div', {class: 'fields'}, this.fields.text('total_tickets', t('new.tickets'), {inputmode: 'numeric', value: '100'}),
      this.fields.text('price', t('new.price'), {inputmode: 'decimal', value: '10.00'}));
  }

  #fromFile() {
    const file = h('input', {id: 'file', type: 'file', accept: '.json,.csv,application/json,text/csv',
      change: async () => { this.#chart.value = await file.files[0]?.text() ?? ''; }});
    return h('div', {}, h('div', {class: 'field'}, h('label', {for: 'file'}, t('new.file')), file),
      h('div', {class: 'field'}, h('label', {for: 'chart'}, t('new.chart')), this.#chart, h('small', {id: 'chart-help'}, t('new.chart-help'))));
  }

  #choice(kind) {
    const id = freshId('kind');
    const radio = h('input', {type: 'radio', name: 'kind', id, checked: kind === this.#kind, change: () => this.#choose(kind)});
    return h('p', {class: 'choice'}, radio, h('label', {for: id}, t(`new.kind-${kind}`)));
  }

  #choose(kind) {
    this.#kind = kind;
    // Prices are promised in a currency: it changes with them or not at all.
    this.currency.hidden = this.areKept;
    for (const [name, part] of Object.entries(this.#ways)) part.hidden = name !== kind;
  }

  /** The places as the service takes them, with the currency of their prices. */
  read() {
    const currency = this.fields.value('currency').toLowerCase();
    return {currency, ...this.#places(currency)};
  }

  #places(currency) {
    if (this.#kind === 'rows') return this.#sections.read(currency);
    if (this.#kind === 'chart') return readChart(this.#chart.value, currency);
    const [tickets, price] = readAll([
      () => readNumber(this.fields.value('total_tickets'), 'total_tickets'), () => readAmount(this.fields.value('price'), currency, 'price')]);
    return {total_tickets: tickets, price};
  }
}
