// @ts-check
/** What the organiser's pages of one sale share: who may see them, their heading and the way between them. */

import {h} from '../dom.js';
import {whole} from '../format.js';
import {t} from '../text.js';
import {fillPage, needAccount, openPage} from './frame.js';

/** @typedef {(page: import('./frame.js').Page, event: any) => Promise<void>} Work */

/**
 * Opens one of a sale's pages.
 * @param {string} title @param {Work} work
 * @param {Work | null} ofDraft what the page is while the event is a draft; without it, the page is told to come later
 */
export function openSale(title, work, ofDraft = null) {
  const page = openPage(title);
  const id = location.pathname.split('/')[2];
  fillPage(page, async () => {
    if (!await needOrganiser(page, title)) return;
    const event = await page.api.get(`/v1/admin/events/${id}`);
    page.name(`${title}: ${event.title}`);
    await (event.status === 'draft' ? ofDraft ?? notYet(title) : work)(page, event);
  }, t('event.missing'));
}

/** What has nothing to show of an event that nobody can buy yet. @returns {Work} */
const notYet = (/** @type {string} */ title) => async (page, event) => {
  page.show(saleHead(event, title), h('p', {class: 'notice', role: 'status'}, t('draft.later')));
};

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
  const isDraft = event.status === 'draft';
  return [
    h('h1', {}, `${event.title}`, h('small', {}, ` ${title}`)),
    h('p', {class: 'quiet'}, [whole(event.starts_at), event.venue].filter(Boolean).join(' · ')),
    h('nav', {class: 'tabs', 'aria-label': t('sale.nav')}, link('', isDraft ? 'status.draft' : 'sale.dashboard'),
      !isDraft && [link('/seats', 'sale.seats'), link('/orders', 'sale.orders'), link('/waiting', 'sale.waiting'), link('/door', 'sale.door')],
      link('/edit', 'sale.edit'), link('/log', 'sale.log'), !isDraft && h('a', {href: `/events/${event.id}`}, t('sale.page'))),
  ];
}
