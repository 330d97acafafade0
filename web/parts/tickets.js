// @ts-check
/** Tickets with their codes, to be shown at a door, saved or printed. */

import {h} from '../dom.js';
import {brief} from '../format.js';
import {t} from '../text.js';
import {download} from './download.js';
import {seatName} from './seats.js';
import {typed} from './ticket-code.js';

/** @param {import('./frame.js').Page} page @param {any} order @param {Map<string, string>} names */
export function tickets(page, order, names) {
  const seats = new Map(order.seats.map((seat) => [seat.id, seat]));
  return h('ul', {class: 'tickets'}, order.tickets.filter((ticket) => ticket.status === 'valid').map((ticket) => {
    const seat = seatName(seats.get(ticket.seat_id) ?? {section: ticket.seat_id, row: null, seat: null}, names);
    // Room for the code from the start: nothing moves when it comes.
    const code = h('img', {class: 'qr', alt: t('order.qr', {seat}), width: 192, height: 192});
    page.api.get(`/v1/tickets/${ticket.id}/qr.svg`, {text: true})
      .then((drawing) => { code.src = `data:image/svg+xml,${encodeURIComponent(drawing)}`; }, console.warn);
    return h('li', {class: 'ticket'}, code, h('div', {}, h('h3', {}, order.event.title), h('p', {}, brief(order.event.starts_at)),
      h('p', {}, h('strong', {}, seat)), h('p', {class: 'quiet code'}, t('order.ticket-code', {code: typed(ticket.code)})),
      ticket.checked_in_at && h('p', {}, t('order.ticket-used', {when: brief(ticket.checked_in_at)})),
      ticket.issue > 1 && h('p', {class: 'no-print'}, t('order.ticket-moved')),
      h('div', {class: 'no-print'}, download(page, t('order.png'), `/v1/tickets/${ticket.id}/qr.png`, `ticket-${ticket.seat_id}.png`,
        {kind: 'plain', label: t('order.png-of', {seat})}))));
  }));
}
