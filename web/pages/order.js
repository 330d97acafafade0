// @ts-check
/** One order: what became of it, live; paying it, its tickets, calling it off, trying again. */

import {h} from '../dom.js';
import {brief, money, time} from '../format.js';
import {countdown} from '../parts/countdown.js';
import {ask, keep} from '../parts/dialog.js';
import {download} from '../parts/download.js';
import {button, fillPage, needAccount, openPage} from '../parts/frame.js';
import {choiceOf, holdOf} from '../parts/keep.js';
import {payPage, stripeForm} from '../parts/payment.js';
import {namesOf, seatTable} from '../parts/seats.js';
import {tickets} from '../parts/tickets.js';
import {t} from '../text.js';

/** How often we ask how it stands: often while somebody waits for the answer, seldom afterwards. */
const [SOON_MS, LATER_MS] = [700, 5000];
/** States in which something is still to happen. */
const MOVING = new Set(['awaiting_payment', 'closing', 'refunding']);

const page = openPage(t('order.title'));
const id = location.pathname.split('/')[2];
/** What the payment page said when it sent the customer back; what counts is what the order says. */
const came = new URLSearchParams(location.search).get('redirect_status');
const cameAt = performance.now();
let shown = '';
/** When we ask again. @type {any} */
let next = 0;
/** @type {ReturnType<typeof countdown> | null} */
let clock = null;

fillPage(page, async () => {
  if (!await needAccount(page, t('order.title'))) return;
  const order = await page.api.get(`/v1/orders/${id}`);
  const event = await page.api.get(`/v1/events/${order.event_id}`);
  page.name(`${t('order.title')}: ${event.title}`);
  show(order, event);
  watch(order, event);
}, t('order.missing'));

/** Asks again and again while something is still to happen. */
function watch(order, event) {
  const isAwaited = came !== null && performance.now() - cameAt < 120_000;
  const settled = !MOVING.has(order.status) && !(came === 'succeeded' && order.status !== 'confirmed' && isAwaited);
  clearTimeout(next);
  if (settled) return;
  next = setTimeout(async () => {
    let now = order;
    try {
      now = await page.api.get(`/v1/orders/${id}`);
      show(now, event);
    } catch (problem) {
      // The next time, then: what is on the page is still what we last knew.
      if (problem.code === undefined) console.error(problem);
    }
    watch(now, event);
  }, isAwaited || order.status !== 'awaiting_payment' ? SOON_MS : LATER_MS);
}

/** What the order says for itself, in one sentence. */
function sentence(order) {
  const {status, history} = order;
  const wasSold = history.some((step) => step.to === 'confirmed');
  if (status === 'awaiting_payment' && came === 'succeeded') return t('order-says.confirming');
  if (status === 'awaiting_payment' && came === 'processing') return t('order-says.processing');
  if (status === 'refunding' || status === 'refunded') return t(`order-says.${wasSold ? '' : 'late-'}${status}`);
  if (status === 'confirmed' && order.refunds.length > 0) return t('order-says.part-refunded');
  return t(`order-says.${status}`);
}

function show(order, event) {
  // Only what is new is drawn: a reader's place on the page is not taken away every second.
  const {server_time: _, ...lasting} = order;
  const now = JSON.stringify(lasting);
  if (now === shown) return;
  const moved = shown !== '' && JSON.parse(shown).status !== order.status;
  shown = now;
  clock?.stop();
  const names = namesOf(event);
  const says = sentence(order);
  if (moved) page.alarm(`${t(`order-state.${order.status}`)}. ${says}`);
  page.show(
    h('div', {class: 'event-head'}, h('h1', {}, event.title),
      h('span', {class: 'badge', data: {status: order.status}}, t(`order-state.${order.status}`))),
    h('p', {class: 'quiet'}, [brief(event.starts_at), event.venue].filter(Boolean).join(' · ')),
    h('p', {class: `notice ${order.status}`}, says),
    order.status === 'awaiting_payment' && payment(order),
    ['failed', 'expired', 'cancelled'].includes(order.status) && retry(order, event),
    order.status === 'confirmed' && h('section', {'aria-labelledby': 'tickets'}, h('h2', {id: 'tickets'}, t('order.tickets')),
      tickets(page, order, names), h('div', {class: 'row no-print'},
        download(page, t('order.pdf'), `/v1/orders/${order.id}/tickets.pdf`, 'tickets.pdf', {kind: 'main'}),
        download(page, t('order.calendar'), `/v1/orders/${order.id}/event.ics`, 'event.ics'),
        h('button', {type: 'button', click: () => print()}, t('order.print')))),
    h('div', {class: 'columns no-print'},
      h('section', {class: 'panel', 'aria-labelledby': 'seats'}, h('h2', {id: 'seats'}, t('order.seats')),
        seatTable(order.seats, order.currency, names), refunds(order),
        h('p', {}, h('a', {href: `/events/${event.id}`}, t('order.event'))),
        order.cancel.allowed && button(page, t('order.cancel'), async () => askToCancel(order, event), 'plain')),
      h('section', {class: 'panel', 'aria-labelledby': 'history'}, h('h2', {id: 'history'}, t('order.history')),
        h('ol', {class: 'history'}, order.history.map((step) => h('li', {}, h('time', {datetime: step.at}, brief(step.at)), ' ', t(`order-state.${step.to}`)))),
        h('p', {class: 'quiet small'}, t('order.number', {id: order.id})))));
}

function payment(order) {
  // Whoever has just paid is neither hurried nor asked to pay again.
  if (!order.payment || came === 'succeeded' || came === 'processing') return null;
  clock = countdown({deadline: order.pay_by, serverTime: order.server_time, say: page.say, over: () => {}});
  const away = payPage(order);
  return h('section', {class: 'panel', 'aria-labelledby': 'pay'}, h('h2', {id: 'pay'}, t('pay.title')), clock.element,
    h('p', {}, t('order.pay-by', {time: time(order.pay_by)})),
    away ? h('a', {class: 'button main large', href: away}, t('order.pay', {amount: money(order.amount, order.currency)})) : stripeForm(order));
}

function refunds(order) {
  return order.refunds.length > 0 && [h('h3', {}, t('order.refunds')), h('ul', {}, order.refunds.map((refund) =>
    h('li', {}, t('order.refund-line', {amount: money(refund.amount, refund.currency), status: t(`refund.${refund.status}`)}))))];
}

/** The same seats once more, when they can be had. */
function retry(order, event) {
  const again = async () => {
    const areas = {};
    for (const seat of order.seats) if (seat.row === null) areas[seat.section] = (areas[seat.section] ?? 0) + 1;
    const wish = {seats: order.seats.filter((seat) => seat.row !== null).map((seat) => seat.id), areas};
    try {
      const hold = await page.api.post(`/v1/events/${event.id}/holds`, wish);
      holdOf(event.id).set(hold.id);
      location.assign(`/checkout/${hold.id}`);
    } catch (problem) {
      // The map says which are gone and what is nearest.
      if (problem.code === 'seats_unavailable') choiceOf(event.id).set(wish);
      throw problem;
    }
  };
  return h('div', {class: 'row'}, button(page, t('order.retry'), again, 'main'),
    h('a', {class: 'button', href: `/events/${event.id}`}, t('order.other')));
}

function askToCancel(order, event) {
  const {refund} = order.cancel;
  const what = order.status !== 'confirmed' ? t('order.cancel-open')
    : refund > 0 ? t('order.cancel-refund', {amount: money(refund, order.currency)}) : t('order.cancel-free');
  ask(t('order.cancel'), [h('p', {}, what)], (close) => [
    button(page, t('order.cancel-sure'), async () => {
      const now = await page.api.post(`/v1/orders/${order.id}/cancel`);
      close();
      show(now, event);
      watch(now, event);
    }, 'main'), keep(close, 'order.keep')]);
}
