// @ts-check
/** The audit log as a table: when, who, what, about whom and why. */

import {h} from '../dom.js';
import {brief} from '../format.js';
import {t} from '../text.js';
import {actorOf, deedOf} from './log-words.js';
import {fillPage} from './frame.js';

const PAGE = '50';

/**
 * @param {import('./frame.js').Page} page @param {string} path of the log
 * @param {boolean} namesEvents whether its lines are of many events
 */
export function logTable(page, path, namesEvents) {
  const rows = h('tbody', {});
  const notice = h('p', {role: 'status'}, t('site.busy'));
  const more = h('button', {type: 'button', hidden: true, click: () => fillPage(page, showNext)}, t('events.more'));
  const actor = new URLSearchParams(location.search).get('actor');
  /** @type {string | null} */
  let next = null;

  async function showNext() {
    const query = new URLSearchParams({limit: PAGE, ...actor && {actor}, ...next && {cursor: next}});
    const {items, next: after} = await page.api.get(`${path}?${query}`);
    rows.append(...items.map(row));
    next = after;
    more.hidden = !next;
    notice.textContent = rows.children.length === 0 ? t('log.none') : '';
  }

  function row(line) {
    const cells = [h('td', {}, h('time', {datetime: line.at}, brief(line.at))), h('td', {}, who(line)), h('td', {}, ...what(line)),
      h('td', {}, about(line)), h('td', {class: 'why'}, line.cause ?? '')];
    if (namesEvents) cells.splice(1, 0, h('td', {}, line.event_title && h('a', {href: `/organise/${line.event_id}`}, line.event_title)));
    return h('tr', {}, cells);
  }

  const head = ['log.when', ...namesEvents ? ['log.event'] : [], 'log.who', 'log.what', 'log.about', 'log.why'];
  const element = h('div', {},
    actor && h('p', {}, `${t('log.only')} `, h('a', {href: location.pathname}, t('log.everybody'))), notice,
    h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': t('sale.log')}, h('table', {class: 'log'},
      h('thead', {}, h('tr', {}, head.map((key) => h('th', {scope: 'col'}, t(key))))), rows)), h('p', {}, more));
  return {element, showNext};
}

/** Whoever has an account leads to all that they did. */
function who(line) {
  const name = actorOf(line);
  return line.actor_name ? h('a', {href: `?actor=${line.actor}`, 'aria-label': t('log.only-of', {name})}, name) : name;
}

function what(line) {
  const {deed, detail} = deedOf(line);
  return [deed, detail && h('small', {class: 'detail'}, detail)];
}

/** Whose order, party or account it was; an order can be looked at. */
function about(line) {
  const name = line.subject_name ?? '';
  const isOrder = line.kind === 'order' || line.detail.seats && line.subject_id;
  return isOrder ? h('a', {href: `/organise/${line.event_id}/orders?q=${line.subject_id}`}, name || t('order.title')) : name;
}
