// @ts-check
/** What the organiser's pages of one sale share: who may see them, their heading and the way between them. */

import {h} from '../dom.js';
import {whole} from '../format.js';
import {t} from '../text.js';
import {fillPage, needAccount, openPage} from './frame.js';

/**
 * Opens one of a sale's pages.
 * @param {string} title @param {(page: import('./frame.js').Page, event: any) => Promise<void>} work
 */
export function openSale(title, work) {
  const page = openPage(title);
  const id = location.pathname.split('/')[2];
  fillPage(page, async () => {
    if (!await needOrganiser(page, title)) return;
    const event = await page.api.get(`/v1/events/${id}`);
    page.name(`${title}: ${event.title}`);
    await work(page, event);
  }, t('event.missing'));
}

/** The account of an organiser; whoever is none is told so, and null is the answer. */
export async function needOrganiser(/** @type {import('./frame.js').Page} */ page, /** @type {string} */ title) {
  const account = await needAccount(page, title);
  if (account && account.role !== 'customer') return account;
  page.show(h('h1', {}, title), h('p', {class: 'notice bad'}, t('organise.denied')));
  return null;
}

/** The heading of a sale's page, and the way to the others. */
export function saleHead(/** @type {any} */ event, /** @type {string} */ title) {
  const link = (path, key) => {
    const href = `/organise/${event.id}${path}`;
    return h('a', {href, 'aria-current': location.pathname === href ? 'page' : null}, t(key));
  };
  return [
    h('h1', {}, `${event.title}`, h('small', {}, ` ${title}`)),
    h('p', {class: 'quiet'}, [whole(event.starts_at), event.venue].filter(Boolean).join(' · ')),
    h('nav', {class: 'tabs', 'aria-label': t('sale.nav')}, link('', 'sale.dashboard'), link('/seats', 'sale.seats'),
      link('/orders', 'sale.orders'), link('/waiting', 'sale.waiting'), link('/door', 'sale.door'), h('a', {href: `/events/${event.id}`}, t('sale.page'))),
  ];
}
