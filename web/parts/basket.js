// @ts-check
/**
 * What a person has chosen at an event, and the hold that it becomes: all of it or nothing.
 *
 * A choice is only a wish. The hold is one step at the service; when it is refused, the reason is told where the
 * seat is, and the nearest alternative is one press away.
 */

import {fill, h} from '../dom.js';
import {money} from '../format.js';
import {t, tellProblem} from '../text.js';
import {countdown} from './countdown.js';
import {button} from './frame.js';
import {choiceOf, holdOf} from './keep.js';
import {signIn} from './sign-in.js';

export class Basket {
  /** @type {any} the hold that this person has here */ #hold = null;
  /** @type {ReturnType<typeof countdown> | null} */ #clock = null;
  #lines = h('ul', {class: 'lines'});
  #time = h('div', {});
  #says = h('div', {class: 'says'});
  #sum = h('p', {class: 'sum'});
  #acts = h('div', {class: 'acts'});

  /** @param {import('./frame.js').Page} page @param {any} event @param {any} map the `<seat-map>` of the event @param {import('./room.js').Room} room */
  constructor(page, event, map, room) {
    this.room = room;
    this.page = page;
    this.event = event;
    this.map = map;
    this.choices = choiceOf(event.id);
    this.holds = holdOf(event.id);
    this.element = h('section', {class: 'panel basket', 'aria-labelledby': 'basket'},
      h('h2', {id: 'basket'}, t('basket.title')), this.#time, this.#lines, this.#says, this.#sum, this.#acts);
    map.addEventListener('ready', () => this.#restore(), {once: true});
    map.addEventListener('choice', () => this.#changed());
    map.addEventListener('lost', (/** @type {any} */ {detail}) => {
      fill(this.#says, h('p', {class: 'fault', role: 'alert'}, t('basket.lost', {n: detail.seats.length})));
      this.#offerInstead(detail.seats);
    });
    this.#draw();
  }

  /** Holds the best seats for a party. */
  async best(/** @type {{quantity: number, category?: string}} */ wish) { await this.#take({best: wish}); }

  /** What was chosen before a reload, and what is held. */
  async #restore() {
    this.map.limit = this.event.max_per_customer;
    const chosen = this.choices.get();
    if (chosen) this.map.choose(chosen.seats, chosen.areas);
    const known = this.holds.get();
    if (known && this.page.api.session.account) {
      try {
        const hold = await this.page.api.get(`/v1/holds/${known}`);
        if (hold.status === 'ordered') {
          this.holds.set(null);
          fill(this.#says, h('p', {}, h('a', {class: 'button', href: `/orders/${hold.order_id}`}, t('order.title'))));
        } else {
          this.#keep(hold);
        }
      } catch (problem) {
        if (problem.code === 'hold_expired') this.#over();
        else if (problem.code === 'not_found') this.holds.set(null);
      }
    }
  }

  #changed() {
    this.choices.set(this.map.choice);
    fill(this.#says);
    this.#draw();
  }

  /** Whether the choice is just what is held. */
  get #isHeld() {
    if (!this.#hold) return false;
    const {seats, areas} = this.map.choice;
    const wanted = [...seats, ...Object.entries(areas).map(([key, places]) => `${key}×${places}`)];
    return wanted.sort().join() === named(this.#hold).sort().join();
  }

  #draw() {
    const {seats, areas} = this.map.choice;
    const {count, amount} = this.map.sum;
    const lines = seats.map((id) => {
      const {section, row, name, price} = this.map.seat(id);
      const words = t('seat.place', {section: section.name, row, seat: name});
      return this.#line(words, price, () => this.map.choose(seats.filter((other) => other !== id), areas));
    });
    for (const [key, places] of Object.entries(areas)) {
      const area = this.map.chart.areas[this.map.chart.areaNumbers.get(key)];
      lines.push(this.#line(t('areas.now', {n: places, count: places, area: area.name}), places * area.category.price,
        () => this.map.choose(seats, {...areas, [key]: 0})));
    }
    fill(this.#lines, lines);
    this.#sum.hidden = count === 0;
    fill(this.#sum, t('basket.total'), ' ', h('strong', {}, money(amount, this.event.currency)));
    const held = this.#isHeld;
    this.element.dataset.state = held ? 'held' : count > 0 ? 'chosen' : 'empty';
    const letGo = this.#hold && button(this.page, t('basket.let-go'), () => this.#letGo(), 'plain');
    if (held) {
      fill(this.#acts, h('a', {class: 'button main', href: `/checkout/${this.#hold.id}`}, t('basket.pay')), letGo);
    } else if (count > 0) {
      const words = t(this.#hold ? 'basket.change' : 'basket.hold');
      fill(this.#acts, button(this.page, words, () => this.#take(this.map.choice), 'main'),
        h('button', {type: 'button', class: 'plain', click: () => { this.map.clear(); this.map.focus(); }}, t('basket.clear')), letGo);
    } else {
      fill(this.#acts, h('p', {class: 'quiet'}, t('basket.empty')), letGo);
    }
  }

  #line(words, price, remove) {
    return h('li', {}, h('span', {}, words), h('span', {}, money(price, this.event.currency)),
      h('button', {type: 'button', class: 'plain', 'aria-label': t('basket.remove', {seat: words}), click: () => {
        remove();
        // The button is gone: the keyboard goes on at the heading of what is left.
        this.element.querySelector('.lines button, .acts button, .acts a')?.focus();
      }}, '×'));
  }

  /** Asks the service to hold a choice, or the best. */
  async #take(/** @type {any} */ wish) {
    if (!this.page.api.session.account && !await signIn(this.page.api)) return;
    fill(this.#says);
    try {
      const replaces = this.#hold ? {replaces: this.#hold.id} : {};
      const hold = await this.page.api.post(`/v1/events/${this.event.id}/holds`, {...wish, ...replaces}, {headers: this.room.headers});
      this.#keep(hold);
      location.assign(`/checkout/${hold.id}`);
    } catch (problem) {
      if (problem.code === 'hold_expired' && this.#hold) {
        // What was to be swapped is gone, which is no reason not to have the new ones.
        this.#forget();
        await this.#take(wish);
      } else if (problem.code === 'not_admitted') {
        fill(this.#says, h('p', {class: 'fault', role: 'alert'}, tellProblem(problem)));
        await this.room.look();
      } else if (problem.code === 'seats_unavailable') {
        this.#refused(problem.more.seats, wish.seats ?? []);
      } else {
        fill(this.#says, h('p', {class: 'fault', role: 'alert'}, tellProblem(problem)));
        if (problem.code === undefined) throw problem;
      }
    }
  }

  #refused(seats, wanted) {
    const lines = seats.map(({id, reason}) => {
      const seat = this.map.seat(id);
      const words = seat ? t('seat.place', {section: seat.section.name, row: seat.row, seat: seat.name}) : id;
      return h('li', {}, h('strong', {}, words), ' ', t(`reason.${reason}`));
    });
    fill(this.#says, h('div', {class: 'fault', role: 'alert'}, t('basket.refused'), h('ul', {}, lines)));
    this.map.explain(seats);
    this.#offerInstead(wanted);
  }

  #offerInstead(/** @type {string[]} */ wanted) {
    const instead = this.map.alternativeTo(wanted);
    if (!instead) return;
    const seats = instead.map((id) => {
      const {section, row, name} = this.map.seat(id);
      return t('seat.place', {section: section.name, row, seat: name});
    }).join('; ');
    this.#says.append(h('p', {}, t('basket.alternative', {seats}), ' ',
      h('button', {type: 'button', click: () => { this.map.choose(instead); this.map.reveal(instead[0]); this.#focusFirst(); }}, t('basket.take'))));
  }

  #focusFirst() { this.#acts.querySelector('button, a')?.focus(); }

  /** Makes a hold this page's own. */
  #keep(hold) {
    this.#hold = hold;
    this.holds.set(hold.id);
    const seats = hold.seats.filter((seat) => seat.row !== null).map((seat) => seat.id);
    const areas = {};
    for (const seat of hold.seats) if (seat.row === null) areas[seat.section] = (areas[seat.section] ?? 0) + 1;
    this.map.yours = seats;
    this.map.choose(seats, areas);
    this.#clock?.stop();
    this.#clock = countdown({deadline: hold.expires_at, serverTime: hold.server_time, say: this.page.say, over: () => this.#over()});
    fill(this.#time, h('p', {class: 'held'}, t('basket.held')), this.#clock.element);
    this.#draw();
  }

  async #letGo() {
    await this.page.api.delete(`/v1/holds/${this.#hold.id}`);
    this.#forget();
    this.map.clear();
  }

  #over() {
    this.#forget();
    this.map.clear();
    fill(this.#says, h('p', {class: 'fault', role: 'alert'}, t('basket.gone')));
  }

  #forget() {
    this.#clock?.stop();
    this.#hold = null;
    this.holds.set(null);
    this.map.yours = [];
    fill(this.#time);
    this.#draw();
  }
}

/** What a hold is made of, in the words of a choice. */
function named(/** @type {any} */ hold) {
  const places = new Map();
  for (const seat of hold.seats) if (seat.row === null) places.set(seat.section, (places.get(seat.section) ?? 0) + 1);
  return [...hold.seats.filter((seat) => seat.row !== null).map((seat) => seat.id), ...[...places].map(([key, number]) => `${key}×${number}`)];
}
