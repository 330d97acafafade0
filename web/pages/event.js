// @ts-check
/** One event: how many, where, and the hold that makes it theirs for a while. */

import {fill, h} from '../dom.js';
import {brief, whole} from '../format.js';
import {SeatMap} from '../map/seat-map.js';
import {Basket} from '../parts/basket.js';
import {button, fillPage, openPage} from '../parts/frame.js';
import {party} from '../parts/party.js';
import {Room} from '../parts/room.js';
import {namesOf} from '../parts/seats.js';
import {Waiting} from '../parts/waiting.js';
import {t} from '../text.js';

const page = openPage(t('events.title'));
const id = location.pathname.split('/')[2];
SeatMap.ahead(id);

/** A page that waits for the opening looks again then, and a little later than others: not all at once. */
const SPREAD_MS = 800;
/** The longest that browsers can wait in one go. */
const LONGEST_MS = 2 ** 31 - 1;
/** @type {Room | null} */
let room = null;

async function show() {
  const event = await page.api.get(`/v1/events/${id}`);
  page.name(event.title);
  const map = h('seat-map', {event: id});
  const says = h('p', {class: 'notice', role: 'status', hidden: true});
  const badge = h('span', {class: 'badge'});
  room?.stop();
  room = new Room(page, event);
  const basket = new Basket(page, event, map, room);
  const waiting = new Waiting(page, event, namesOf(event));
  const sells = ['on_sale', 'sold_out'].includes(event.status);
  const best = sells && party(event, (wish) => basket.best(wish), page.say, (words, act, kind) => button(page, words, act, kind));
  /** Who is not let in yet sees the seats and cannot take them. */
  const open = () => { for (const part of [best, basket.element]) if (part) part.hidden = !room?.inside; };
  room.addEventListener('change', open);
  open();
  page.show(
    h('div', {class: 'event-head'}, h('h1', {}, event.title), badge),
    h('p', {class: 'quiet'}, [whole(event.starts_at), event.venue].filter(Boolean).join(' · ')),
    event.description && h('p', {}, event.description), says, room.element, waiting.element,
    h('div', {class: 'event'},
      best, map, sells && basket.element));
  // Whoever does not point at things finds the list before anything else.
  document.querySelector('.skip')?.after(h('a', {class: 'skip', href: '#content', click: (/** @type {Event} */ press) => {
    press.preventDefault();
    map.openList();
  }}, t('list.skip')));

  /** What is to be said of the sale, as it stands now. */
  const tell = () => {
    const free = map.picture?.counts[0];
    const status = event.status === 'on_sale' && free === 0 ? 'sold_out' : event.status === 'sold_out' && free > 0 ? 'on_sale' : event.status;
    waiting.full = status === 'sold_out';
    if (badge.dataset.status === status) return;
    badge.dataset.status = status;
    badge.textContent = t(`status.${status}`);
    const words = {
      scheduled: () => t('event.opens', {when: brief(event.sale_starts_at)}), closed: () => t('event.closed'),
      cancelled: () => t('event.cancelled'), sold_out: () => t('event.sold-out')}[status];
    says.hidden = !words;
    fill(says, words?.() ?? '');
  };
  tell();
  map.addEventListener('picture', tell);
  if (event.status === 'scheduled') {
    const wait = Math.max(1000, Date.parse(event.sale_starts_at) - Date.now()) + Math.random() * SPREAD_MS;
    setTimeout(() => fillPage(page, show, t('event.missing')), Math.min(LONGEST_MS, wait));
  }
}

fillPage(page, show, t('event.missing'));
