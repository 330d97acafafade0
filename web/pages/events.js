// @ts-check
/** The events that can be visited, soonest first, a page at a time. */

import {h} from '../dom.js';
import {count, whole} from '../format.js';
import {fillPage, openPage} from '../parts/frame.js';
import {t} from '../text.js';

const PAGE = 12;
const page = openPage(t('events.title'));
const list = h('ul', {class: 'cards'});
const notice = h('p', {role: 'status'}, t('events.loading'));
const more = h('button', {type: 'button', hidden: true, click: () => fillPage(page, showNext)}, t('events.more'));
/** Where the next page starts. @type {string | null} */
let next = null;

page.show(
  h('section', {class: 'hero'}, h('h1', {}, t('events.hero')), h('p', {}, t('events.promise'))),
  h('section', {'aria-labelledby': 'events'}, h('h2', {id: 'events'}, t('events.title')), notice, list, h('p', {}, more)));
fillPage(page, showNext);

async function showNext() {
  const query = new URLSearchParams({limit: String(PAGE), ...next && {cursor: next}});
  const {items, next: after} = await page.api.get(`/v1/events?${query}`);
  const cards = items.map(card);
  list.append(...cards);
  // Whoever asked for more by keyboard goes on reading where the new ones start.
  if (next) cards[0]?.querySelector('a').focus();
  next = after;
  more.hidden = !next;
  notice.textContent = list.children.length === 0 ? t('events.none') : '';
}

function card(event) {
  const free = h('span', {});
  countSeats(event, free);
  return h('li', {class: 'event-card'}, h('p', {class: 'when'}, h('time', {datetime: event.starts_at}, whole(event.starts_at))),
    h('h3', {}, h('a', {href: `/events/${event.id}`}, event.title)), h('p', {}, event.venue),
    h('p', {class: 'sale'}, h('span', {class: 'badge', data: {status: event.status}}, t(`status.${event.status}`)), ' ', free));
}

/** Adds how many seats are left; a card without the number is still a good card. */
async function countSeats(event, place) {
  if (event.status !== 'on_sale') return;
  try {
    const {available, total} = await page.api.get(`/v1/events/${event.id}/status`);
    place.textContent = t('events.free', {free: count(available), total: count(total)});
  } catch (fault) {
    console.warn(fault);
  }
}
