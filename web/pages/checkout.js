// @ts-check
/** The seats that are held, what they cost, how long they are theirs, and the way to the payment. */

import {h} from '../dom.js';
import {brief, money} from '../format.js';
import {countdown} from '../parts/countdown.js';
import {button, fillPage, needAccount, openPage} from '../parts/frame.js';
import {choiceOf, eventOfHold, holdOf} from '../parts/keep.js';
import {payPage} from '../parts/payment.js';
import {namesOf, seatTable} from '../parts/seats.js';
import {t} from '../text.js';

const page = openPage(t('checkout.title'));
const id = location.pathname.split('/')[2];

fillPage(page, async () => {
  if (!await needAccount(page, t('checkout.title'))) return;
  let hold;
  try {
    hold = await page.api.get(`/v1/holds/${id}`);
  } catch (problem) {
    if (problem.code !== 'hold_expired') throw problem;
    over();
    return;
  }
  // Somebody comes back to a page whose hold has become an order: that is where to go on.
  if (hold.status === 'ordered') {
    location.replace(`/orders/${hold.order_id}`);
    return;
  }
  const event = await page.api.get(`/v1/events/${hold.event_id}`);
  const clock = countdown({deadline: hold.expires_at, serverTime: hold.server_time, say: page.say, over});
  const pay = button(page, hold.amount === 0 ? t('checkout.free') : t('checkout.pay', {amount: money(hold.amount, hold.currency)}), async () => {
    try {
      const order = await page.api.post('/v1/orders', {hold_id: hold.id});
      holdOf(event.id).set(null);
      choiceOf(event.id).set({seats: [], areas: {}});
      // Back brings one to the order then, not to a hold that is no more.
      history.replaceState(null, '', `/orders/${order.id}`);
      location.assign(payPage(order) ?? `/orders/${order.id}`);
    } catch (problem) {
      if (problem.code !== 'hold_expired') throw problem;
      clock.stop();
      over();
    }
  }, 'main large');
  page.show(
    h('h1', {}, t('checkout.title')),
    h('div', {class: 'columns'},
      h('section', {class: 'panel', 'aria-labelledby': 'seats'}, h('h2', {id: 'seats'}, t('checkout.seats')),
        h('p', {}, h('strong', {}, event.title)), h('p', {class: 'quiet'}, [brief(event.starts_at), event.venue].filter(Boolean).join(' · ')),
        seatTable(hold.seats, hold.currency, namesOf(event)),
        h('p', {}, h('a', {href: `/events/${event.id}`}, t('checkout.back')))),
      h('section', {class: 'panel', 'aria-labelledby': 'pay'}, h('h2', {id: 'pay'}, t('pay.title')), clock.element, pay)));
}, t('checkout.missing'));

/** The time is over: says so, and where to go. */
function over() {
  const event = eventOfHold(id);
  page.show(h('h1', {}, t('checkout.title')), h('p', {class: 'notice bad', role: 'alert'}, t('checkout.expired')),
    h('p', {}, h('a', {class: 'button main', href: event ? `/events/${event}` : '/'}, t(event ? 'checkout.map' : 'checkout.events'))));
}
