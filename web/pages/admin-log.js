// @ts-check
/** What happened anywhere, accounts included. */

import {openAdministration} from '../parts/administration.js';
import {logTable} from '../parts/log.js';
import {t} from '../text.js';

openAdministration(t('sale.log'), async (page, head) => {
  const log = logTable(page, '/v1/admin/log', true);
  page.show(head, log.element);
  await log.showNext();
});
