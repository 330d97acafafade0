// @ts-check
/** An organiser's events, and the way to a new one. */

import {h} from '../dom.js';
import {brief, count} from '../format.js';
import {fillPage, openPage} from '../parts/frame.js';
import {needOrganiser} from '../parts/sale.js';
import {t} from '../text.js';

const page = openPage(t('organise.title'));
const list = h('ul', {class: 'cards'});
const notice = h('p', {role: 'status'}, t('site.busy'));
const more = h('button', {type: 'button', hidden: true, click: () => fillPage(page, showNext)}, t('events.more'));
/** @type {string | null} */
let next = null;

fillPage(page, async () => {
  if (!await needOrganiser(page, t('organise.title'))) return;
  page.show(h('h1', {}, t('organise.title')), h('p', {class: 'row'}, h('a', {class: 'button main', href: '/organise/new'}, t('organise.new')),
      h('a', {class: 'button', href: '/organise/hooks'}, t('organise.hooks'))),
    notice, list, h('p', {}, more));
  await showNext();
});

async function showNext() {
  const query = new URLSearchParams({limit: '20', ...next && {cursor: next}});
  const {items, next: after} = await page.api.get(`/v1/admin/events?${query}`);
  const cards = items.map((event) => h('li', {class: 'event-card'}, h('p', {class: 'when'}, brief(event.starts_at)),
    h('h2', {}, h('a', {href: `/organise/${event.id}`}, event.title)), h('p', {}, event.venue),
    h('p', {class: 'sale'}, h('span', {class: 'badge', data: {status: event.status}}, t(`status.${event.status}`)), ' ',
      event.available !== null && t('organise.sold', {sold: count(event.sold), held: count(event.held), free: count(event.available)}))));
  list.append(...cards);
  if (next) cards[0]?.querySelector('a').focus();
  next = after;
  more.hidden = !next;
  notice.textContent = list.children.length === 0 ? t('organise.none') : '';
}
