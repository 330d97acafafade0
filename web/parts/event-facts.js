// @ts-check
/** What an event says of itself and the rules of its sale: everything but its places. */

import {h} from '../dom.js';
import {t} from '../text.js';
import {Faults, readAll, readMinutes, readNumber} from './faults.js';
import {Fields} from './fields.js';

/** Without these there is no event. */
const NEEDED = ['title', 'starts_at'];

const MOMENT = {type: 'datetime-local'};
const NUMBER = {inputmode: 'numeric'};
const MINUTES = {inputmode: 'decimal'};

/** How what the service has is shown in a field, and read from it. @type {Record<string, {show: (value: any) => any, read: (text: any, field: string) => any}>} */
const KINDS = {
  text: {show: (value) => value ?? '', read: (text) => text},
  moment: {show: (value) => (value ? localMoment(value) : ''), read: (text) => new Date(text).toISOString()},
  number: {show: (value) => String(value ?? ''), read: readNumber},
  minutes: {show: (value) => (value == null ? '' : String(Math.round(value / 60 * 1000) / 1000)), read: readMinutes},
  tick: {show: (value) => value, read: (value) => value},
};

/** Name, words and kind of each; one that can be emptied again is `null` to the service then. */
const FACTS = [
  {name: 'title', words: 'new.name', kind: 'text'},
  {name: 'venue', words: 'new.venue', kind: 'text', empty: ''},
  {name: 'starts_at', words: 'new.starts', kind: 'moment', props: MOMENT},
  {name: 'ends_at', words: 'new.ends', kind: 'moment', props: MOMENT, empty: null},
  {name: 'description', words: 'new.description', kind: 'text', empty: ''},
];
const RULES = [
  {name: 'sale_starts_at', words: 'new.sale-starts', kind: 'moment', props: MOMENT, empty: null},
  {name: 'sale_ends_at', words: 'new.sale-ends', kind: 'moment', props: MOMENT, empty: null},
  {name: 'room_minutes', words: 'new.room', kind: 'number', props: NUMBER, empty: null},
  {name: 'max_per_customer', words: 'new.limit', kind: 'number', props: NUMBER, empty: null},
  {name: 'offer_seconds', words: 'new.offer', kind: 'minutes', props: MINUTES, empty: null},
  {name: 'waitlist_cutoff_seconds', words: 'new.cutoff', kind: 'minutes', props: MINUTES},
];
const TICKS = [
  {name: 'orphan_rule', words: 'new.orphan-rule', kind: 'tick'},
  {name: 'waitlist', words: 'new.waitlist', kind: 'tick'},
];
const ALL = /** @type {{name: string, words: string, kind: string, props?: object, empty?: string | null}[]} */ ([...FACTS, ...RULES, ...TICKS]);

export class EventFacts {
  fields = new Fields();

  constructor() {
    const field = ({name, words, props}) => this.fields.text(name, t(words), props);
    const last = FACTS.length - 1;
    this.element = h('div', {},
      h('fieldset', {}, h('legend', {}, t('new.facts')), h('div', {class: 'fields'}, FACTS.slice(0, last).map(field)), field(FACTS[last])),
      h('fieldset', {}, h('legend', {}, t('new.rules')), h('div', {class: 'fields'}, RULES.map(field)),
        // What the service does where nothing is said.
        TICKS.map(({name, words}) => this.fields.tick(name, t(words), true))));
    this.fields.set('waitlist_cutoff_seconds', '60');
  }

  /** Fills the fields with an event as it is. */
  show(/** @type {any} */ event) {
    for (const {name, kind} of ALL) this.fields.set(name, KINDS[kind].show(event[name]));
  }

  /** All of it as the service takes it, what is empty left out. Faults of what was entered are thrown. */
  read() {
    const filled = ALL.filter(({name}) => this.fields.value(name) !== '');
    return Object.fromEntries(readAll(filled.map(({name, kind}) => () => [name, KINDS[kind].read(this.fields.value(name), name)])));
  }

  /** What an event still needs. */
  static missing(/** @type {Record<string, any>} */ event) {
    return NEEDED.filter((name) => !event[name]).map((field) => ({field, message: t('new.required')}));
  }

  /** What is other than it was: a page that was opened an hour ago takes nobody else's change back. */
  changes() {
    const changed = ALL.filter(({name}) => this.fields.isChanged(name));
    return Object.fromEntries(readAll(changed.map(({name, kind, empty}) => () => {
      const value = this.fields.value(name);
      if (value !== '') return [name, KINDS[kind].read(value, name)];
      if (empty === undefined) throw new Faults([{field: name, message: t('new.required')}]);
      return [name, empty];
    })));
  }
}

/** A moment as a browser's field takes it: on this person's clock, to the minute. */
function localMoment(/** @type {string} */ text) {
  const moment = new Date(text);
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
