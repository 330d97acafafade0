// @ts-check
/** The fields that describe a new event, and what is wrong with them. */

import {freshId, h} from '../dom.js';
import {t} from '../text.js';
import {readChart} from './chart-file.js';
import {readAll, readAmount, readNumber} from './faults.js';
import {SectionFields} from './section-fields.js';

/** Without these there is no event. */
const NEEDED = ['title', 'starts_at'];
/** What stands in for them while only the places are looked at. */
const SOMETIME = {title: '–', starts_at: '2100-01-01T20:00:00Z'};

export class EventForm {
  /** The fields and their labels, by the name that the service has for them. @type {Record<string, any>} */ #fields = {};
  /** @type {Record<string, string>} */ #labels = {};
  #sections = new SectionFields();
  #chart = h('textarea', {id: 'chart', spellcheck: 'false', 'aria-describedby': 'chart-help'});
  /** How the places are described: rows, simple or chart. */
  #kind = 'rows';

  /** The parts for each kind, of which one is seen. @type {Record<string, HTMLElement>} */ #ways;

  constructor() {
    this.#ways = {rows: this.#sections.element, simple: this.#simple(), chart: this.#fromFile()};
    this.element = h('div', {}, this.#facts(),
      h('fieldset', {}, h('legend', {}, t('new.places')),
        h('div', {role: 'radiogroup', 'aria-label': t('new.kind')}, Object.keys(this.#ways).map((kind) => this.#choice(kind))),
        Object.values(this.#ways)));
    this.#choose(this.#kind);
  }

  #facts() {
    const moment = {type: 'datetime-local'};
    return h('fieldset', {}, h('legend', {}, t('new.facts')),
      h('div', {class: 'fields'}, this.#field('title', 'new.name'), this.#field('venue', 'new.venue'),
        this.#field('starts_at', 'new.starts', moment), this.#field('currency', 'new.currency', {value: 'eur', maxlength: 3}),
        this.#field('max_per_customer', 'new.limit', {inputmode: 'numeric'}),
        this.#field('sale_starts_at', 'new.sale-starts', moment), this.#field('sale_ends_at', 'new.sale-ends', moment)),
      this.#field('description', 'new.description'));
  }

  #simple() {
    return h('div', {class: 'fields'}, this.#field('total_tickets', 'new.tickets', {inputmode: 'numeric', value: '100'}),
      this.#field('price', 'new.price', {inputmode: 'decimal', value: '10.00'}));
  }

  #fromFile() {
    const file = h('input', {id: 'file', type: 'file', accept: '.json,.csv,application/json,text/csv',
      change: async () => { this.#chart.value = await file.files[0]?.text() ?? ''; }});
    return h('div', {}, h('div', {class: 'field'}, h('label', {for: 'file'}, t('new.file')), file),
      h('div', {class: 'field'}, h('label', {for: 'chart'}, t('new.chart')), this.#chart, h('small', {id: 'chart-help'}, t('new.chart-help'))));
  }

  #field(name, words, props = {}) {
    const id = `field-${name}`;
    this.#labels[name] = t(words);
    this.#fields[name] = h('input', {id, autocomplete: 'off', ...props});
    return h('div', {class: 'field'}, h('label', {for: id}, t(words)), this.#fields[name]);
  }

  #choice(kind) {
    const id = freshId('kind');
    const radio = h('input', {type: 'radio', name: 'kind', id, checked: kind === this.#kind, change: () => this.#choose(kind)});
    return h('p', {class: 'choice'}, radio, h('label', {for: id}, t(`new.kind-${kind}`)));
  }

  #choose(kind) {
    this.#kind = kind;
    for (const [name, part] of Object.entries(this.#ways)) part.hidden = name !== kind;
  }

  #value(name) { return this.#fields[name].value.trim(); }

  /** The event as the service takes it, with what it still needs. Faults of what was entered are thrown. */
  read() {
    const event = this.#entered();
    const missing = NEEDED.filter((name) => !event[name]).map((field) => ({field, message: t('new.required')}));
    return {event, missing};
  }

  /** The same with whatever is missing made up, to look at its places. */
  static sometime(/** @type {object} */ event) { return {...SOMETIME, ...event}; }

  #entered() {
    const currency = this.#value('currency').toLowerCase();
    const facts = /** @type {Record<string, any>} */ ({currency});
    for (const name of ['title', 'description', 'venue']) if (this.#value(name)) facts[name] = this.#value(name);
    for (const name of ['starts_at', 'sale_starts_at', 'sale_ends_at']) {
      if (this.#value(name)) facts[name] = new Date(this.#value(name)).toISOString();
    }
    const [most, places] = readAll([
      () => (this.#value('max_per_customer') ? {max_per_customer: readNumber(this.#value('max_per_customer'), 'max_per_customer')} : {}),
      () => this.#places(currency)]);
    // A file may say everything of its event: then it knows best.
    return {...facts, ...most, ...places};
  }

  #places(currency) {
    if (this.#kind === 'rows') return this.#sections.read(currency);
    if (this.#kind === 'chart') return readChart(this.#chart.value, currency);
    const [tickets, price] = readAll([() => readNumber(this.#value('total_tickets'), 'total_tickets'), () => readAmount(this.#value('price'), currency, 'price')]);
    return {total_tickets: tickets, price};
  }

  /** A list of faults, in which fields are called what the page calls them. */
  tell(/** @type {{field: string, message: string}[]} */ faults) {
    if (faults.length === 0) return null;
    const line = ({field, message}) => h('li', {}, field ? t('new.fault', {field: this.#labels[field] ?? field, message}) : message);
    return h('div', {class: 'notice bad'}, t('new.faults'), h('ul', {}, faults.map(line)));
  }
}
