// @ts-check
/** The orders of a sale: finding one, its tickets, and giving money back. */

import {fill, freshId, h} from '../dom.js';
import {brief, money} from '../format.js';
import {openDesk} from '../parts/desk.js';
import {ask, keep} from '../parts/dialog.js';
import {readAmount} from '../parts/faults.js';
import {button, fillPage} from '../parts/frame.js';
import {openSale, saleHead} from '../parts/sale.js';
import {namesOf, seatName} from '../parts/seats.js';
import {t} from '../text.js';

const STATES = ['awaiting_payment', 'closing', 'confirmed', 'failed', 'cancelled', 'expired', 'refunding', 'refunded'];

openSale(t('sale.orders'), async (page, event) => {
  const names = namesOf(event);
  const [whatId, stateId] = [freshId('what'), freshId('state')];
  // The log leads here, with the order that it speaks of.
  const what = h('input', {id: whatId, type: 'search', autocomplete: 'off', value: new URLSearchParams(location.search).get('q') ?? ''});
  const state = h('select', {id: stateId}, h('option', {value: ''}, t('find.any')), STATES.map((one) => h('option', {value: one}, t(`order-state.${one}`))));
  const rows = h('tbody', {});
  const notice = h('p', {role: 'status'});
  const more = h('button', {type: 'button', hidden: true, click: () => fillPage(page, showNext)}, t('find.more'));
  /** @type {string | null} */
  let next = null;

  async function search(submit) {
    submit?.preventDefault();
    next = null;
    fill(rows);
    await showNext();
  }
  async function showNext() {
    const query = new URLSearchParams({limit: '50', ...what.value.trim() && {q: what.value.trim()}, ...state.value && {status: state.value}, ...next && {cursor: next}});
    const {items, next: after} = await page.api.get(`/v1/admin/events/${event.id}/orders?${query}`);
    rows.append(...items.map(line));
    next = after;
    more.hidden = !next;
    notice.textContent = rows.children.length === 0 ? t('find.none') : '';
  }
  function line(order) {
    /** What the desk has changed; the dialogue stays open, so the row is found anew. */
    const redraw = (now) => {
      const fresh = line(now);
      row.replaceWith(fresh);
      row = fresh;
    };
    let row = h('tr', {}, h('td', {}, brief(order.created_at)), h('td', {}, order.customer.name, h('br'), h('small', {}, order.customer.email)),
      h('td', {}, order.seats.map((seat) => seatName(seat, names)).join('; ')), h('td', {}, money(order.amount, order.currency), order.complimentary && h('small', {}, ` ${t('find.complimentary')}`)),
      h('td', {}, h('span', {class: 'badge', data: {status: order.status}}, t(`order-state.${order.status}`))),
      h('td', {}, order.status === 'confirmed'
        && h('button', {type: 'button', 'aria-label': t('desk.open-of', {name: order.customer.name}), click: () => openDesk(page, event, order, names, redraw)}, t('desk.open'))),
      h('td', {}, order.status === 'confirmed' && (order.amount > 0
        ? h('button', {type: 'button', 'aria-label': t('find.refund-of', {name: order.customer.name}), click: () => giveBack(order, row)}, t('find.refund'))
        : h('button', {type: 'button', 'aria-label': t('find.take-back-of', {name: order.customer.name}), click: () => takeBack(order, row)}, t('find.take-back')))));
    return row;
  }
  function giveBack(order, row) {
    const [amountId, reasonId] = [freshId('amount'), freshId('reason')];
    const amount = h('input', {id: amountId, inputmode: 'decimal', autocomplete: 'off'});
    const reason = h('input', {id: reasonId, maxlength: 200, autocomplete: 'off'});
    ask(t('find.refund-title'), [h('p', {}, `${order.customer.name}, ${money(order.amount, order.currency)}`),
      h('div', {class: 'field'}, h('label', {for: amountId}, t('find.refund-amount')), amount),
      h('div', {class: 'field'}, h('label', {for: reasonId}, t('find.refund-reason')), reason)], (close) => [
      button(page, t('find.refund-sure'), async () => {
        const part = amount.value.trim();
        const wish = {...part && {amount: readAmount(part, order.currency, t('find.amount'))}, ...reason.value.trim() && {reason: reason.value.trim()}};
        const now = await page.api.post(`/v1/admin/orders/${order.id}/refund`, wish);
        close();
        row.replaceWith(line({...now, customer: order.customer}));
      }, 'main'), keep(close, 'order.keep')]);
  }

  /** What has cost nothing: only the seats come back. */
  function takeBack(order, row) {
    ask(t('find.take-back-title'), [h('p', {}, t('find.take-back-says', {name: order.customer.name}))], (close) => [
      button(page, t('find.take-back-sure'), async () => {
        const now = await page.api.post(`/v1/admin/orders/${order.id}/refund`, {reason: t('find.take-back-title')});
        close();
        row.replaceWith(line({...now, customer: order.customer}));
      }, 'main'), keep(close, 'order.keep')]);
  }

  const head = ['when', 'who', 'seats', 'amount', 'state', 'tickets', 'refund'].map((key) => h('th', {scope: 'col'}, t(`find.${key}`)));
  page.show(saleHead(event, t('sale.orders')),
    h('form', {role: 'search', class: 'panel', submit: search}, h('div', {class: 'fields'},
      h('div', {class: 'field'}, h('label', {for: whatId}, t('find.what')), what),
      h('div', {class: 'field'}, h('label', {for: stateId}, t('find.status')), state)), h('button', {class: 'main'}, t('find.go'))),
    notice, h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': t('find.title')}, h('table', {}, h('thead', {}, h('tr', {}, head)), rows)), h('p', {}, more));
  await search();
});
