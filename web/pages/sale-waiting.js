// @ts-check
/** The waiting list of a sale, in its order. */

import {fill, h} from '../dom.js';
import {brief, money} from '../format.js';
import {ask, keep} from '../parts/dialog.js';
import {button} from '../parts/frame.js';
import {openSale, saleHead} from '../parts/sale.js';
import {namesOf} from '../parts/seats.js';
import {t} from '../text.js';

openSale(t('waiting.title'), async (page, event) => {
  const names = namesOf(event);
  const rows = h('tbody', {});
  const notice = h('p', {role: 'status'});
  const more = h('button', {type: 'button', hidden: true, click: () => showNext()}, t('events.more'));
  /** @type {string | null} */
  let next = null;
  page.show(saleHead(event, t('waiting.title')), notice,
    h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': t('waiting.title')}, h('table', {},
      h('thead', {}, h('tr', {}, ['waiting.place', 'find.who', 'waiting.people', 'waiting.wish', 'waiting.since', 'find.state', 'waiting.remove']
        .map((key) => h('th', {scope: 'col'}, t(key))))), rows)), h('p', {}, more));

  async function showNext() {
    const query = new URLSearchParams({limit: '50', ...next && {cursor: next}});
    const {items, next: after} = await page.api.get(`/v1/admin/events/${event.id}/waitlist?${query}`);
    rows.append(...items.map(row));
    next = after;
    more.hidden = !next;
    notice.textContent = rows.children.length === 0 ? t('waiting.nobody') : '';
  }

  function row(party) {
    const wish = [party.section && (names.get(party.section) ?? party.section), party.category,
      party.max_price !== null && t('waiting.at-most', {amount: money(party.max_price, event.currency)})].filter(Boolean).join(' · ');
    const remove = () => ask(t('waiting.remove'), [h('p', {}, t('waiting.remove-says', {name: party.customer_name}))], (close) => [
      button(page, t('waiting.remove-sure'), async () => {
        await page.api.delete(`/v1/admin/waitlist/${party.id}`);
        close();
        next = null;
        fill(rows);
        await showNext();
      }, 'main'), keep(close)]);
    return h('tr', {}, h('td', {}, party.position ?? '–'), h('th', {scope: 'row'}, party.customer_name, ' ', h('span', {class: 'quiet small'}, party.customer_email)),
      h('td', {}, party.quantity), h('td', {}, wish || t('waiting.any')), h('td', {}, brief(party.joined_at)),
      h('td', {}, party.status === 'offered' ? t('waiting.offered-until', {when: brief(party.offered_until)}) : t('waiting.is-waiting')),
      h('td', {}, h('button', {type: 'button', class: 'plain', 'aria-label': t('waiting.remove-of', {name: party.customer_name, position: party.position ?? '–'}), click: remove}, t('waiting.remove'))));
  }
  await showNext();
});
