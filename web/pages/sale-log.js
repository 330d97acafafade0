// @ts-check
/** What happened at an event: who did what, and what became of its orders. */

import {logTable} from '../parts/log.js';
import {openSale, saleHead} from '../parts/sale.js';
import {t} from '../text.js';

/** @type {import('../parts/sale.js').Work} */
async function show(page, event) {
  const log = logTable(page, `/v1/admin/events/${event.id}/log`, false);
  page.show(saleHead(event, t('sale.log')), log.element);
  await log.showNext();
}

openSale(t('sale.log'), show, show);
