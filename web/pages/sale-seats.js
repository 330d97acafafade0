// @ts-check
/** Taking seats out of a sale and putting them back, on the map. */

import {fill, freshId, h} from '../dom.js';
import '../map/seat-map.js';
import {button} from '../parts/frame.js';
import {openSale, saleHead} from '../parts/sale.js';
import {t} from '../text.js';

openSale(t('sale.seats'), async (page, event) => {
  const map = h('seat-map', {event: event.id, mode: 'manage'});
  const id = freshId('reason');
  const reason = h('input', {id, maxlength: 200, autocomplete: 'off'});
  const acts = h('div', {class: 'row'});
  const says = h('p', {role: 'status'});
  const chosen = h('p', {class: 'quiet'});
  page.show(saleHead(event, t('sale.seats')), h('p', {}, t('block.how')),
    h('div', {class: 'event'}, map, h('section', {class: 'panel basket', 'aria-labelledby': 'block'}, h('h2', {id: 'block'}, t('block.title')),
      chosen, h('div', {class: 'field'}, h('label', {for: id}, t('block.reason')), reason), acts, says)));

  const draw = () => {
    const {seats} = map.choice;
    const isFree = (seat) => map.picture.isFree(map.chart.numberOf(seat));
    const free = seats.filter(isFree);
    const blocked = seats.filter((seat) => !isFree(seat));
    chosen.textContent = t('block.chosen', {free: free.length, blocked: blocked.length});
    fill(acts,
      free.length > 0 && button(page, t('block.block', {n: free.length}), () => act('block', free, 'block.blocked'), 'main'),
      blocked.length > 0 && button(page, t('block.unblock', {n: blocked.length}), () => act('unblock', blocked, 'block.unblocked')));
  };
  async function act(what, seats, words) {
    // One choice a step: what stays chosen is what is still to be done.
    try {
      await page.api.post(`/v1/admin/events/${event.id}/seats/${what}`, {seats, reason: reason.value.trim() || t('sale.blocked')});
    } catch (problem) {
      if (problem.code === 'seats_unavailable') map.explain(problem.more.seats);
      throw problem;
    }
    map.choose(map.choice.seats.filter((seat) => !seats.includes(seat)));
    says.textContent = t(words, {n: seats.length});
  }
  map.addEventListener('ready', draw);
  map.addEventListener('choice', draw);
});
