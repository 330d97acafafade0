// @ts-check
/** Waiting for seats: joining the list, where one stands in it, and what it offers. */

import {fill, freshId, h} from '../dom.js';
import {money} from '../format.js';
import {t} from '../text.js';
import {countdown} from './countdown.js';
import {readAmount} from './faults.js';
import {button} from './frame.js';
import {seatName} from './seats.js';
import {signIn} from './sign-in.js';

/** How often a list that somebody waits on is looked at. */
const LOOK_MS = 3000;
const LIVE = ['waiting', 'offered'];

/**
 * One entry with what can be done about it.
 * @param {import('./frame.js').Page} page @param {any} entry @param {Map<string, string>} names of sections and areas
 * @param {() => Promise<void>} changed
 */
export function entryPanel(page, entry, names, changed) {
  const leave = async () => { await page.api.delete(`/v1/waitlist/${entry.id}`); await changed(); };
  const wish = [t('waiting.party', {n: entry.quantity}), entry.section && (names.get(entry.section) ?? entry.section),
    entry.category].filter(Boolean).join(' · ');
  if (entry.status !== 'offered') {
    return h('div', {class: 'entry'}, h('p', {}, h('strong', {}, t('waiting.position', {position: entry.position}))), h('p', {class: 'quiet'}, wish),
      entry.passed_over && h('p', {class: 'quiet'}, t('waiting.passed-over')),
      button(page, t('waiting.leave'), leave, 'plain'));
  }
  const {offer} = entry;
  const clock = countdown({deadline: offer.expires_at, serverTime: offer.server_time, say: page.say, over: changed});
  return h('div', {class: 'entry'}, h('p', {class: 'notice confirmed'}, t('waiting.offered')), clock.element,
    h('ul', {}, offer.seats.map((seat) => h('li', {}, `${seatName(seat, names)} · ${money(seat.price, offer.currency)}`))),
    h('div', {class: 'row'}, h('a', {class: 'button main', href: `/checkout/${offer.hold_id}`}, t('waiting.take')),
      button(page, t('waiting.decline'), leave, 'plain')));
}

/** The entries that somebody has now. */
export async function liveEntries(/** @type {import('./frame.js').Page} */ page) {
  const {items} = await page.api.get('/v1/waitlist?limit=100');
  return items.filter((entry) => LIVE.includes(entry.status));
}

/** The waiting list of one event, on its page: shown while there is something to wait for or somebody does. */
export class Waiting {
  #entry = null;
  #shown = '';
  #full = false;

  /** @param {import('./frame.js').Page} page @param {any} event @param {Map<string, string>} names */
  constructor(page, event, names) {
    this.page = page;
    this.event = event;
    this.names = names;
    this.body = h('div', {});
    const title = freshId('waiting');
    this.element = h('section', {class: 'panel waiting', hidden: true, 'aria-labelledby': title},
      h('h2', {id: title}, t('waiting.title')), this.body);
    page.api.session.addEventListener('change', () => this.look());
    this.look();
    setInterval(() => { if (this.#entry && document.visibilityState === 'visible') this.look(); }, LOOK_MS);
  }

  /** Whether everything is taken right now. */
  set full(/** @type {boolean} */ full) {
    this.#full = full;
    this.#draw();
  }

  async look() {
    if (this.page.api.session.account) {
      try {
        const before = this.#entry?.status;
        this.#entry = (await liveEntries(this.page)).find((entry) => entry.event_id === this.event.id) ?? null;
        if (before === 'waiting' && this.#entry?.status === 'offered') this.page.alarm(t('waiting.offered'));
      } catch (problem) {
        // The next look tells; what is shown stays.
        if (problem.code === undefined) throw problem;
        return;
      }
    } else {
      this.#entry = null;
    }
    this.#draw();
  }

  #draw() {
    const joins = this.#full && this.event.waitlist_open;
    this.element.hidden = !this.#entry && !joins;
    const {position, status, id} = this.#entry ?? {};
    const shown = JSON.stringify([id, status, position, this.element.hidden]);
    // A form that somebody fills in is not taken away.
    if (shown === this.#shown) return;
    this.#shown = shown;
    fill(this.body, this.#entry ? entryPanel(this.page, this.#entry, this.names, () => this.look()) : this.#form());
  }

  #form() {
    const field = (words, input) => {
      const id = freshId('wait');
      input.id = id;
      return h('div', {class: 'field'}, h('label', {for: id}, words), input);
    };
    const quantity = h('input', {type: 'number', min: 1, max: this.event.max_per_customer ?? 100, value: 2, inputmode: 'numeric'});
    const choice = (list) => h('select', {}, h('option', {value: ''}, t('waiting.any')), list.map(({key, name}) => h('option', {value: key}, name)));
    const section = choice([...this.event.sections, ...this.event.areas]);
    const category = choice(this.event.categories);
    const price = h('input', {inputmode: 'decimal', autocomplete: 'off'});
    const join = button(this.page, t('waiting.join'), async () => {
      const wish = {quantity: Number(quantity.value), ...section.value && {section: section.value}, ...category.value && {category: category.value},
        ...price.value.trim() && {max_price: readAmount(price.value, this.event.currency, t('waiting.max-price'))}};
      if (!this.page.api.session.account && !await signIn(this.page.api)) return;
      await this.page.api.post(`/v1/events/${this.event.id}/waitlist`, wish).catch((problem) => {
        if (problem.code !== 'already_waiting') throw problem;
      });
      await this.look();
      this.page.say(t('waiting.joined'));
      this.body.querySelector('button')?.focus();
    }, 'main');
    return [h('p', {}, t('waiting.how')), h('div', {class: 'fields'}, field(t('waiting.people'), quantity), field(t('waiting.where'), section),
      field(t('party.price'), category), field(t('waiting.max-price'), price)), join];
  }
}
