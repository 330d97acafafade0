// @ts-check
/** What the administrators' pages share: who may see them, and the way between them. */

import {h} from '../dom.js';
import {t} from '../text.js';
import {fillPage, needAccount, openPage} from './frame.js';

/** @param {string} title @param {(page: import('./frame.js').Page, head: any[]) => Promise<void>} work */
export function openAdministration(title, work) {
  const page = openPage(title);
  fillPage(page, async () => {
    const account = await needAccount(page, title);
    if (account?.role !== 'admin') {
      page.show(h('h1', {}, title), h('p', {class: 'notice bad'}, t('admin.denied')));
      return;
    }
    const link = (href, key) => h('a', {href, 'aria-current': location.pathname === href ? 'page' : null}, t(key));
    await work(page, [h('h1', {}, title),
      h('nav', {class: 'tabs', 'aria-label': t('site.administration')}, link('/admin/accounts', 'admin.accounts'), link('/admin/log', 'sale.log'))]);
  });
}
