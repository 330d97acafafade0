// @ts-check
/** A draft: what it says, the map of its places, and what becomes of it. */

import {h} from '../dom.js';
import {count, money, whole} from '../format.js';
import {t} from '../text.js';
import {ask, keep} from './dialog.js';
import {button} from './frame.js';
import {showPlaces} from './places-preview.js';
import {saleHead} from './sale.js';
import {numbers} from './table.js';

/** @param {import('./frame.js').Page} page @param {any} event as its organiser sees it */
export async function showDraft(page, event) {
  const drawing = await page.api.get(`/v1/admin/events/${event.id}/seats`);
  const map = h('div', {class: 'spaced'});
  const publish = button(page, t('draft.publish'), async () => {
    await page.api.post(`/v1/admin/events/${event.id}/publish`);
    location.reload();
  }, 'main');
  page.show(saleHead(event, t('status.draft')), h('p', {class: 'notice', role: 'status'}, t('draft.says')),
    event.description && h('p', {}, event.description),
    h('div', {class: 'row'}, publish, h('a', {class: 'button', href: `/organise/${event.id}/edit`}, t('draft.edit')),
      button(page, t('draft.discard'), async () => askToDiscard(page, event), 'plain')),
    h('p', {class: 'quiet'}, t('draft.publish-says')),
    h('div', {class: 'columns'}, facts(event), places(event)), map);
  showPlaces(map, drawing);
}

function facts(event) {
  const moment = (value, none) => (value ? whole(value) : t(none));
  const rows = [
    ['draft.sale-opens', moment(event.sale_starts_at, 'draft.at-once')], ['draft.sale-closes', moment(event.sale_ends_at, 'draft.when-over')],
    ['draft.ends', moment(event.ends_at, 'draft.unsaid')],
    ['draft.limit', event.max_per_customer === null ? t('draft.no-limit') : count(event.max_per_customer)],
    ['draft.orphan-rule', t(event.orphan_rule ? 'draft.yes' : 'draft.no')], ['draft.waitlist', t(event.waitlist ? 'draft.yes' : 'draft.no')],
    ['draft.room', event.room_minutes === null ? t('draft.no') : t('draft.room-opens', {n: event.room_minutes})],
  ];
  return h('section', {class: 'panel', 'aria-labelledby': 'facts'}, h('h2', {id: 'facts'}, t('new.facts')),
    h('table', {}, h('tbody', {}, rows.map(([key, value]) => h('tr', {}, h('th', {scope: 'row'}, t(key)), h('td', {}, value))))));
}

function places(event) {
  const prices = new Map(event.categories.map(({key, name, price}) => [key, `${name} · ${money(price, event.currency)}`]));
  const parts = [...event.sections.map((part) => ({...part, size: part.seats})), ...event.areas.map((part) => ({...part, size: part.capacity}))];
  return h('section', {class: 'panel parts', 'aria-labelledby': 'parts'}, h('h2', {id: 'parts'}, t('new.places')),
    numbers(['draft.part', 'draft.price', 'draft.seats'], parts.map(({name, category, size}) => [name, prices.get(category) ?? category, count(size)])));
}

function askToDiscard(page, event) {
  ask(t('draft.discard'), [h('p', {}, t('draft.discard-says', {title: event.title}))], (close) => [
    button(page, t('draft.discard-sure'), async () => {
      await page.api.delete(`/v1/admin/events/${event.id}`);
      location.assign('/organise');
    }, 'main'), keep(close)]);
}
