// @ts-check
/** One's own orders, newest first, and what one waits for. */

import {fill, h} from '../dom.js';
import {brief, money} from '../format.js';
import {fillPage, needAccount, openPage} from '../parts/frame.js';
import {namesOf} from '../parts/seats.js';
import {entryPanel, liveEntries} from '../parts/waiting.js';
import {t} from '../text.js';

const page = openPage(t('orders.title'));
const list = h('ul', {class: 'cards'});
const notice = h('p', {role: 'status'}, t('site.busy'));
const more = h('button', {type: 'button', hidden: true, click: () => fillPage(page, showNext)}, t('orders.more'));
const waits = h('section', {class: 'waits', hidden: true, 'aria-labelledby': 'waits'});
/** @type {string | null} */
let next = null;
/** How often what one waits for is looked at. */
const LOOK_MS = 3000;
let shown = '';

fillPage(page, async () => {
  if (!await needAccount(page, t('orders.title'))) return;
  page.show(h('h1', {}, t('orders.title')), waits, notice, list, h('p', {}, more));
  await showNext();
  await showWaits();
  setInterval(() => { if (!waits.hidden && document.visibilityState === 'visible') showWaits(); }, LOOK_MS);
});

/** What one waits for comes first: an offer has a deadline. */
async function showWaits() {
  let entries;
  try {
    entries = await liveEntries(page);
  } catch (problem) {
    // The next look tells; what is shown stays.
    if (problem.code === undefined) throw problem;
    return;
  }
  const now = JSON.stringify(entries.map(({id, status, position}) => [id, status, position]));
  if (now === shown) return;
  shown = now;
  waits.hidden = entries.length === 0;
  const panels = await Promise.all(entries.map(async (entry) => {
    const event = await page.api.get(`/v1/events/${entry.event_id}`);
    return h('li', {class: 'panel'}, h('h3', {}, h('a', {href: `/events/${event.id}`}, event.title)),
      entryPanel(page, entry, namesOf(event), showWaits));
  }));
  fill(waits, h('h2', {id: 'waits'}, t('waiting.title')), h('ul', {class: 'cards'}, panels));
}

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
