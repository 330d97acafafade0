// @ts-check
/** The waiting room of an on-sale: where one stands, until one is let in. */

import {fill, freshId, h} from '../dom.js';
import {brief, count, time} from '../format.js';
import {t} from '../text.js';
import {admissionOf, placeOf} from './keep.js';
import {signIn} from './sign-in.js';

/** People look a little apart, so that they do not all come at the same moment. */
const SPREAD = 0.2;
/** A place in the line is said aloud when it has changed so much. */
const SAY_STEPS = [1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000];

export class Room extends EventTarget {
  #timer = 0;
  #said = Infinity;
  #shown = '';

  /**
   * `inside` tells whether one may take seats, with every `change`.
   * @param {import('./frame.js').Page} page @param {any} event
   */
  constructor(page, event) {
    super();
    this.page = page;
    this.event = event;
    this.inside = event.room_minutes === null;
    this.body = h('div', {});
    const title = freshId('room');
    this.element = h('section', {class: 'panel room', hidden: this.inside, 'aria-labelledby': title},
      h('h2', {id: title}, t('room.title')), this.body);
    if (this.inside) return;
    page.api.session.addEventListener('change', () => this.look());
    this.look();
  }

  /** What the hold call brings along. */
  get headers() {
    const admission = this.event.room_minutes === null ? null : admissionOf(this.event.id).get();
    return admission ? {admission} : {};
  }

  /** Looks where one stands, and again as soon as the service has said. */
  async look() {
    clearTimeout(this.#timer);
    if (!this.page.api.session.account) {
      this.#show('out', h('p', {}, t('room.sign-in')),
        h('button', {type: 'button', class: 'main', click: () => signIn(this.page.api)}, t('room.enter')));
      return;
    }
    const place = placeOf(this.event.id);
    let wait = 5;
    try {
      const now = await this.page.api.post(`/v1/events/${this.event.id}/room`, {...place.get() && {place: place.get()}});
      if (now.place) place.set(now.place);
      this.#tell(now);
      wait = now.look_again_seconds;
      if (now.status === 'admitted') wait = Math.max(2, (Date.parse(now.admitted_until) - Date.parse(now.server_time)) / 1000 + 1);
    } catch (problem) {
      // The place is kept; the next look tells.
      if (problem.code === undefined) throw problem;
    }
    this.#timer = setTimeout(() => this.look(), Math.min(wait * (1 + Math.random() * SPREAD), 86_400) * 1000);
  }

  #tell(now) {
    const inside = now.status === 'none' || now.status === 'admitted';
    admissionOf(this.event.id).set(now.admission);
    if (now.status === 'closed') this.#show('closed', h('p', {}, t('room.opens', {when: brief(now.opens_at)})));
    if (now.status === 'early') {
      this.#show(`early ${now.people}`, h('p', {}, t('room.early', {n: now.people, people: count(now.people), when: brief(now.sale_starts_at)})),
        h('p', {class: 'quiet'}, t('room.lot')));
    }
    if (now.status === 'waiting') {
      this.#show(`waiting ${now.position}`, h('p', {}, h('strong', {}, t('room.position', {position: count(now.position), people: count(now.people)}))),
        h('progress', {max: now.people, value: Math.max(now.people - now.position, 0), 'aria-label': t('room.progress')}),
        h('p', {class: 'quiet'}, t('room.keep')));
      const step = SAY_STEPS.find((known) => now.position <= known) ?? Infinity;
      if (step < this.#said) this.page.say(t('room.position', {position: count(now.position), people: count(now.people)}));
      this.#said = Math.min(step, this.#said);
    }
    if (now.status === 'admitted') {
      this.#show('inside', h('p', {class: 'notice confirmed'}, t('room.inside', {until: time(now.admitted_until)})));
    }
    this.element.hidden = now.status === 'none';
    if (inside === this.inside) return;
    this.inside = inside;
    if (now.status === 'admitted') this.page.alarm(t('room.inside', {until: time(now.admitted_until)}));
    this.dispatchEvent(new Event('change'));
  }

  #show(what, ...content) {
    if (what === this.#shown) return;
    this.#shown = what;
    fill(this.body, content);
  }

  /** Ends the looking, when the page shows something else. */
  stop() { clearTimeout(this.#timer); }
}
