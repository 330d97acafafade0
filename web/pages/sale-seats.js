// @ts-check
/** Taking seats out of a sale, putting them back, and giving them away, on the map. */

import {fill, freshId, h} from '../dom.js';
import '../map/seat-map.js';
import {button} from '../parts/frame.js';
import {Gift} from '../parts/gift.js';
import {openSale, saleHead} from '../parts/sale.js';
import {t} from '../text.js';

openSale(t('sale.seats'), async (page, event) => {
  const map = h('seat-map', {event: event.id, mode: 'manage'});
  const id = freshId('reason');
  const reason = h('input', {id, maxlength: 200, autocomplete: 'off'});
  const acts = h('div', {class: 'row'});
  const says = h('p', {role: 'status'});
  const chosen = h('p', {class: 'quiet'});
  const gift = new Gift(page, event, {
    give: () => map.choice, reason: () => reason.value.trim(), refused: (seats) => map.explain(seats),
    given: (name, n) => {
      map.clear();
      says.textContent = t('gift.given', {n, name});
    },
  });
  page.show(saleHead(event, t('sale.seats')), h('p', {}, t('block.how')),
    h('div', {class: 'event'}, map, h('section', {class: 'panel basket', 'aria-labelledby': 'block'}, h('h2', {id: 'block'}, t('block.title')),
      chosen, h('div', {class: 'field'}, h('label', {for: id}, t('block.reason')), reason), acts, gift.element, says)));

  const draw = () => {
    const {seats} = map.choice;
    const isFree = (seat) => map.picture.isFree(map.chart.numberOf(seat));
    const free = seats.filter(isFree);
    const blocked = seats.filter((seat) => !isFree(seat));
    chosen.textContent = t('block.chosen', {free: free.length, blocked: blocked.length});
    fill(acts,
      free.length > 0 && button(page, t('block.block', {n: free.length}), () => act('block', free, 'block.blocked'), 'main'),
      blocked.length > 0 && button(page, t('block.unblock', {n: blocked.length}), () => act('unblock', blocked, 'block.unblocked')));
    gift.count = map.sum.count;
  };
  async function act(what, seats, words) {
    // One choice a step: what stays chosen is what is still to be done.
    try {
      await page.api.post(`/v1/admin/events/${event.id}/seats/${what}`, {seats, reason: reason.value.trim() || t('sale.blocked')});
    } catch (problem) {
      if (problem.code === 'seats_unavailable') map.explain(problem.more.seats);
      throw problem;
    }
    map.choose(map.choice.seats.filter((seat) => !seats.includes(seat)), map.choice.areas);
    says.textContent = t(words, {n: seats.length});
  }
  map.addEventListener('ready', draw);
  map.addEventListener('choice', draw);
});
