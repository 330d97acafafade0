// @ts-check
/** One's own orders, newest first. */

import {h} from '../dom.js';
import {brief, money} from '../format.js';
import {fillPage, needAccount, openPage} from '../parts/frame.js';
import {t} from '../text.js';

const page = openPage(t('orders.title'));
const list = h('ul', {class: 'cards'});
const notice = h('p', {role: 'status'}, t('site.busy'));
const more = h('button', {type: 'button', hidden: true, click: () => fillPage(page, showNext)}, t('orders.more'));
/** @type {string | null} */
let next = null;

fillPage(page, async () => {
  if (!await needAccount(page, t('orders.title'))) return;
  page.show(h('h1', {}, t('orders.title')), notice, list, h('p', {}, more));
  await showNext();
});

async function showNext() {
  const query = new URLSearchParams({limit: '20', ...next && {cursor: next}});
  const {items, next: after} = await page.api.get(`/v1/orders?${query}`);
  const cards = items.map((order) => h('li', {class: 'event-card'},
    h('p', {class: 'when'}, brief(order.created_at)),
    h('h2', {}, h('a', {href: `/orders/${order.id}`}, order.event.title)),
    h('p', {}, `${t('orders.seats', {n: order.seats.length})} · ${money(order.amount, order.currency)}`),
    h('p', {class: 'sale'}, h('span', {class: 'badge', data: {status: order.status}}, t(`order-state.${order.status}`)))));
  list.append(...cards);
  if (next) cards[0]?.querySelector('a').focus();
  next = after;
  more.hidden = !next;
  notice.textContent = list.children.length === 0 ? t('orders.none') : '';
}
