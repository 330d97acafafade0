// @ts-check
/** The tickets of one order at the organiser's desk: moving one to another seat, undoing a check-in, looking back. */

import {fill, freshId, h} from '../dom.js';
import {brief, time} from '../format.js';
import {t, tellProblem} from '../text.js';
import {ask, keep} from './dialog.js';
import {download} from './download.js';
import {button} from './frame.js';
import {seatName} from './seats.js';
import {typed} from './ticket-code.js';

/** So many free seats are suggested; any other can be typed. */
const SUGGESTED = 300;

/**
 * Opens the desk.
 * @param {import('./frame.js').Page} page @param {any} event @param {any} order @param {Map<string, string>} names
 * @param {(order: any) => void} changed is told the order as it stands after a move
 */
export function openDesk(page, event, order, names, changed) {
  const notice = h('p', {role: 'status'});
  const list = h('ul', {class: 'desk'});
  let now = order;

  function draw() {
    const seats = new Map(now.seats.map((seat) => [seat.id, seat]));
    fill(list, now.tickets.filter((ticket) => ticket.status === 'valid').map((ticket) => line(ticket, seats.get(ticket.seat_id))));
  }

  function line(ticket, place) {
    const seat = seatName(place, names);
    const below = h('div', {});
    const inside = ticket.checked_in_at ? t('desk.inside', {when: brief(ticket.checked_in_at)}) : t('desk.outside');
    const act = (words, label, open) => h('button', {type: 'button', 'aria-label': t(label, {seat}), click: open}, t(words));
    return h('li', {}, h('p', {}, h('strong', {}, seat), h('br'), h('small', {}, `${typed(ticket.code)} · ${inside}`)),
      h('div', {class: 'row'}, act('desk.move', 'desk.move-of', () => moving(ticket, place, below)),
        ticket.checked_in_at && act('desk.undo', 'desk.undo-of', () => undoing(ticket, seat, below)),
        act('desk.log', 'desk.log-of', () => history(ticket, below).catch((problem) => fill(below, h('p', {class: 'fault', role: 'alert'}, tellProblem(problem)))))), below);
  }

  function moving(ticket, place, below) {
    const [seatId, listId, helpId] = [freshId('seat'), freshId('free'), freshId('help')];
    const seat = h('input', {id: seatId, list: listId, autocomplete: 'off', 'aria-describedby': helpId});
    const [reasonField, reason] = reasonInput();
    const free = h('datalist', {id: listId});
    fill(below, h('div', {class: 'field'}, h('label', {for: seatId}, t('desk.move-to')), seat, free,
      h('small', {id: helpId}, t('desk.move-help', {seat: place.id}))), reasonField,
    button(page, t('desk.move-sure'), async () => {
      try {
        now = {...await page.api.post(`/v1/admin/tickets/${ticket.id}/move`, {seat: seat.value.trim(), ...reason()}), customer: order.customer};
      } catch (problem) {
        throw told(problem);
      }
      const moved = now.tickets.find(({id}) => id === ticket.id);
      notice.textContent = t('desk.moved', {seat: seatName(now.seats.find(({id}) => id === moved.seat_id), names)});
      draw();
      changed(now);
    }, 'main'));
    seat.focus();
    suggest(place).then((ids) => fill(free, ids.map((value) => h('option', {value}))), () => {});
  }

  /** Free seats that cost the same. */
  async function suggest(place) {
    const [chart, {taken}] = await Promise.all([page.api.get(`/v1/events/${event.id}/seats`), page.api.get(`/v1/events/${event.id}/availability`)]);
    const prices = new Map(chart.categories.map(({key, price}) => [key, price]));
    const rows = chart.sections.flatMap((section) => section.rows.flatMap((row) => row.seats.map((seat) => [seat.id, seat.category ?? section.category])));
    const fits = ([id, category]) => !taken[id] && prices.get(category) === place.price;
    const areas = chart.areas.filter((area) => prices.get(area.category) === place.price).map(({key}) => key);
    return [...areas, ...rows.filter(fits).slice(0, SUGGESTED).map(([id]) => id)];
  }

  function undoing(ticket, seat, below) {
    const [reasonField, reason] = reasonInput();
    fill(below, reasonField, button(page, t('desk.undo-sure'), async () => {
      const undone = await page.api.post(`/v1/admin/tickets/${ticket.id}/undo-check-in`, {reason: reason().reason ?? ''});
      now = {...now, tickets: now.tickets.map((one) => one.id === ticket.id ? {...one, checked_in_at: undone.checked_in_at} : one)};
      notice.textContent = t('desk.undone', {seat});
      draw();
      changed(now);
    }, 'main'));
    below.querySelector('input').focus();
  }

  async function history(ticket, below) {
    const {items} = await page.api.get(`/v1/admin/tickets/${ticket.id}/log`);
    fill(below, items.length === 0 ? h('p', {}, t('desk.log-none'))
      : h('ol', {class: 'history'}, items.map((item) => h('li', {}, happened(item)))));
  }

  draw();
  ask(t('desk.title', {name: order.customer.name}), [notice, list], (close) => [
    download(page, t('desk.pdf'), `/v1/orders/${order.id}/tickets.pdf`, 'tickets.pdf'), keep(close, 'desk.close')]);
}

/** @returns {[any, () => {reason?: string}]} the field, and what is in it */
function reasonInput() {
  const id = freshId('reason');
  const input = h('input', {id, maxlength: 200, autocomplete: 'off'});
  const value = () => input.value.trim() ? {reason: input.value.trim()} : {};
  return [h('div', {class: 'field'}, h('label', {for: id}, t('desk.reason')), input), value];
}

function happened({at, what, by, reason, seen_at: seen, from_seat: from, to_seat: to}) {
  const why = what === 'refused' ? t(`desk.why-${reason}`) : reason ?? '';
  const said = t('desk.log-line', {when: brief(at), what: t(`desk.did-${what}`, {from, to}), by, reason: why}).trim();
  const late = seen && Date.parse(at) - Date.parse(seen) > 60_000;
  return late ? `${said} ${t('desk.log-seen', {when: time(seen)})}` : said;
}

/** A refused seat is told by its reason. */
function told(problem) {
  const reason = problem.more?.seats?.[0]?.reason;
  return reason ? Object.assign(new Error(t(`reason.${reason}`)), {code: `seat_${reason}`}) : problem;
}
