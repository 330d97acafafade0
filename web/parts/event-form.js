// @ts-check
/** The fields that describe an event, new or prepared or on sale, and what is wrong with them. */

import {h} from '../dom.js';
import {t} from '../text.js';
import {EventFacts} from './event-facts.js';
import {EventPlaces} from './event-places.js';
import {readAll} from './faults.js';

/** What stands in for what is missing while only the places are looked at. */
const SOMETIME = {title: '–', starts_at: '2100-01-01T20:00:00Z'};

export class EventForm {
  facts = new EventFacts();
  /** Null where they have been promised to customers. @type {EventPlaces | null} */ places;

  /** @param {any} event one that is there already; its places can be described anew while it is a draft */
  constructor(event = null) {
    this.places = event && event.status !== 'draft' ? null : new EventPlaces(event?.currency);
    if (event) this.facts.show(event);
    this.element = h('div', {}, this.facts.element, this.places?.element);
  }

  /** The event as the service takes it, with what it still needs. Faults of what was entered are thrown. */
  read() {
    const [facts, places] = readAll([() => this.facts.read(), () => this.places?.read()]);
    // A file may say everything of its event: then it knows best.
    const event = {...facts, ...places};
    return {event, missing: EventFacts.missing(event)};
  }

  /** The same with whatever is missing made up, to look at its places. */
  static sometime(/** @type {object} */ event) { return {...SOMETIME, ...event}; }

  /** Tells faults at their fields. Answers with a list of all, in which fields are called what the page calls them. */
  tell(/** @type {{field: string, message: string}[]} */ faults) {
    this.facts.fields.tell(faults);
    this.places?.fields.tell(faults);
    if (faults.length === 0) return null;
    const called = (field) => this.facts.fields.label(field) ?? this.places?.fields.label(field) ?? field;
    const line = ({field, message}) => h('li', {}, field ? t('new.fault', {field: called(field), message}) : message);
    return h('div', {class: 'notice bad'}, t('new.faults'), h('ul', {}, faults.map(line)));
  }
}
