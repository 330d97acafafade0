// @ts-check
/** What an endpoint was told: a table that follows by itself, and a way to tell it again. */

import {fill, h} from '../dom.js';
import {brief} from '../format.js';
import {t} from '../text.js';
import {button} from './frame.js';

/** How many of the last ones are shown, and how often they are asked for. */
const SHOWN = 20;
const PERIOD_MS = 2000;

/**
 * The last deliveries to an endpoint. It follows while it is on the page.
 * @param {import('./frame.js').Page} page @param {any} hook
 */
export function deliveries(page, hook) {
  const rows = h('tbody', {});
  const notice = h('p', {role: 'status'}, t('site.busy'));
  const head = ['what', 'when', 'state', 'tries', 'again'].map((key) => h('th', {scope: 'col'}, t(`told.${key}`)));
  const element = h('div', {}, notice, h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': t('told.title')},
    h('table', {}, h('thead', {}, h('tr', {}, head)), rows)));
  /** Rows by what they are about, so that a change leaves the others, and the keyboard's place, alone. @type {Map<string, any>} */
  const known = new Map();

  async function look() {
    const {items} = await page.api.get(`/v1/admin/hooks/${hook.id}/deliveries?limit=${SHOWN}`);
    notice.textContent = items.length === 0 ? t('told.none') : '';
    for (const [place, delivery] of items.entries()) {
      const key = `${delivery.event.id} ${delivery.replay}`;
      const row = known.get(key) ?? line(delivery);
      known.set(key, row);
      row.show(delivery);
      if (rows.children[place] !== row.element) rows.insertBefore(row.element, rows.children[place] ?? null);
    }
    while (rows.children.length > items.length) rows.lastElementChild?.remove();
  }

  function line(delivery) {
    const {type, created, id} = delivery.event;
    const [state, tries] = [h('td', {}), h('td', {})];
    let last = '';
    const again = button(page, t('told.replay'), async () => {
      await page.api.post(`/v1/admin/hooks/${hook.id}/replay`, {event_id: id});
      page.say(t('told.queued'));
      await look();
    });
    again.querySelector('button')?.setAttribute('aria-label', t('told.replay-of', {what: type, when: brief(created)}));
    const what = [h('code', {}, type), delivery.replay > 0 && h('small', {}, ` ${t('told.replayed', {n: delivery.replay})}`)];
    return {
      element: h('tr', {}, h('td', {}, what), h('td', {}, brief(created)), state, tries, h('td', {}, again)),
      show(now) {
        const news = `${now.status} ${now.attempts} ${now.error}`;
        if (news === last) return;
        last = news;
        fill(state, h('span', {class: 'badge', data: {status: now.status}}, t(`told.${now.status}`)),
          now.error && h('small', {}, ` ${now.error}`));
        tries.textContent = String(now.attempts);
      },
    };
  }

  async function follow() {
    await look();
    for (;;) {
      await new Promise((done) => { setTimeout(done, PERIOD_MS); });
      if (!element.isConnected) return;
      // One look that gets no answer is no news; the next one comes.
      if (!document.hidden) await look().catch(() => {});
    }
  }

  return {element, look, follow};
}
