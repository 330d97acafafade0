// @ts-check
/** An organiser's webhooks: where other systems are told what happens, and whether they were. */

import {fill, h} from '../dom.js';
import {brief} from '../format.js';
import {deliveries} from '../parts/deliveries.js';
import {ask, keep} from '../parts/dialog.js';
import {button, fillPage, openPage} from '../parts/frame.js';
import {HookForm, typeNames} from '../parts/hook-form.js';
import {needOrganiser} from '../parts/sale.js';
import {t} from '../text.js';

const page = openPage(t('hooks.title'));
const list = h('div', {});
const none = h('p', {class: 'quiet'}, t('hooks.none'));
const more = h('button', {type: 'button', hidden: true, click: () => fillPage(page, showNext)}, t('find.more'));
/** @type {string | null} */
let next = null;

fillPage(page, async () => {
  if (!await needOrganiser(page, t('hooks.title'))) return;
  const form = new HookForm();
  const add = button(page, t('hooks.add'), async () => {
    const hook = await page.api.post('/v1/admin/hooks', form.wish());
    form.clear();
    list.prepend(card(hook));
    none.hidden = true;
    tellSecret(hook);
  }, 'main');
  page.show(h('h1', {}, t('hooks.title')), h('p', {}, t('hooks.how')),
    h('p', {}, h('a', {href: '/organise'}, t('organise.title'))),
    h('section', {class: 'panel', 'aria-label': t('hooks.new')}, h('h2', {}, t('hooks.new')), form.element, add),
    h('h2', {class: 'spaced'}, t('hooks.list')), none, list, h('p', {}, more));
  await showNext();
});

async function showNext() {
  const query = new URLSearchParams({limit: '20', ...next && {cursor: next}});
  const {items, next: after} = await page.api.get(`/v1/admin/hooks?${query}`);
  list.append(...items.map(card));
  next = after;
  more.hidden = !next;
  none.hidden = list.children.length > 0;
}

/** One endpoint with all that one can do to it. */
function card(hook) {
  const path = `/v1/admin/hooks/${hook.id}`;
  const [state, acts, told] = [h('div', {}), h('div', {class: 'row'}), h('div', {})];
  const element = h('section', {class: 'panel spaced', 'aria-label': hook.url}, h('h3', {}, hook.url),
    hook.description && h('p', {}, hook.description), h('p', {class: 'quiet small'}, typeNames(hook.events)), state, acts, told);

  function show(now) {
    fill(state, h('p', {}, h('span', {class: 'badge', data: {status: now.status}}, t(`hooks.${now.status}`))),
      now.reason && h('p', {class: 'notice bad'}, t('hooks.disabled-says', {when: brief(now.since), why: now.reason})),
      !now.reason && now.failing_since && h('p', {class: 'notice bad'}, t('hooks.failing', {when: brief(now.failing_since)})));
    const enabled = now.status === 'enabled';
    fill(acts, act('ping', ping), act('told', look), act('roll', roll),
      act(enabled ? 'disable' : 'enable', async () => show(await page.api.patch(path, {enabled: !enabled}))),
      h('button', {type: 'button', click: remove}, t('hooks.remove')));
  }
  const act = (key, work) => button(page, t(`hooks.${key}`), work);

  async function ping() {
    const pong = await page.api.post(`${path}/ping`);
    const words = pong.delivered ? t('hooks.pong', {ms: pong.duration_ms}) : t('hooks.no-pong', {why: pong.error});
    fill(told, h('p', {class: `notice ${pong.delivered ? 'confirmed' : 'bad'}`, role: 'status'}, words));
  }
  async function look() {
    show(await page.api.get(path));
    const table = deliveries(page, hook);
    fill(told, table.element);
    await table.look();
    table.follow();
  }
  async function roll() { tellSecret(await page.api.post(`${path}/secret`)); }
  function remove() {
    ask(t('hooks.remove-title'), [h('p', {}, hook.url), h('p', {}, t('hooks.remove-says'))], (close) => [
      button(page, t('hooks.remove-sure'), async () => {
        // What follows its deliveries would ask for those of an endpoint that is gone.
        fill(told);
        await page.api.delete(path);
        close();
        element.remove();
        none.hidden = list.children.length > 0;
      }, 'main'), keep(close)]);
  }

  show(hook);
  return element;
}

/** The secret is told once: it stays in sight until somebody says that it is kept. */
function tellSecret({url, secret}) {
  ask(t('hooks.secret'), [h('p', {}, url), h('p', {class: 'code'}, h('code', {}, secret)), h('p', {}, t('hooks.secret-says'))],
    (close) => [h('button', {type: 'button', class: 'main', click: close}, t('hooks.secret-kept'))]);
}
