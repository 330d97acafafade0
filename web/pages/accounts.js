// @ts-check
/** All accounts: finding one, giving it another role, shutting it out and letting it in again. */

import {fill, freshId, h} from '../dom.js';
import {brief} from '../format.js';
import {openAdministration} from '../parts/administration.js';
import {ask, keep} from '../parts/dialog.js';
import {Fields} from '../parts/fields.js';
import {button, fillPage} from '../parts/frame.js';
import {t} from '../text.js';

const ROLES = ['customer', 'organiser', 'admin'];
/** @returns {[string, string][]} */
const roleOptions = () => ROLES.map((role) => [role, t(`role.${role}`)]);

openAdministration(t('admin.accounts'), async (page, head) => {
  const own = await page.api.get('/v1/me');
  const whatId = freshId('what');
  const what = h('input', {id: whatId, type: 'search', autocomplete: 'off'});
  const rows = h('tbody', {});
  const notice = h('p', {role: 'status'});
  const more = h('button', {type: 'button', hidden: true, click: () => fillPage(page, showNext)}, t('events.more'));
  /** @type {string | null} */
  let next = null;

  async function search(submit) {
    submit?.preventDefault();
    next = null;
    fill(rows);
    await showNext();
  }
  async function showNext() {
    const query = new URLSearchParams({limit: '50', ...what.value.trim() && {search: what.value.trim()}, ...next && {cursor: next}});
    const {items, next: after} = await page.api.get(`/v1/admin/accounts?${query}`);
    rows.append(...items.map(line));
    next = after;
    more.hidden = !next;
    notice.textContent = rows.children.length === 0 ? t('find.none') : '';
  }
  /** Makes the change, and says what is so now where the account stands. */
  async function change(account, row, wish, words) {
    const now = await page.api.patch(`/v1/admin/accounts/${account.id}`, wish);
    const again = line(now);
    row.replaceWith(again);
    notice.textContent = t(words, {name: now.name, role: t(`role.${now.role}`)});
    again.querySelector('select')?.focus();
  }

  function line(account) {
    const isOwn = account.id === own.id;
    const isOut = account.disabled_at !== undefined;
    const row = h('tr', {}, h('th', {scope: 'row'}, account.name, h('br'), h('small', {}, account.email)), h('td', {}, brief(account.created_at)),
      h('td', {}, isOwn ? t(`role.${account.role}`) : role(account, () => row)),
      h('td', {}, isOut ? h('span', {class: 'badge', data: {status: 'cancelled'}}, t('admin.out-since', {when: brief(account.disabled_at)})) : t('admin.in')),
      h('td', {}, isOwn ? h('small', {}, t('admin.own')) : isOut
        ? button(page, t('admin.enable', {name: account.name}), () => change(account, row, {disabled: false}, 'admin.enabled'))
        : button(page, t('admin.disable', {name: account.name}), async () => askToDisable(account, row), 'plain')));
    return row;
  }
  /** Not by choosing alone: with the keyboard, one walks over roles that are not meant. */
  function role(account, row) {
    const select = h('select', {'aria-label': t('admin.role-of', {name: account.name})},
      roleOptions().map(([value, words]) => h('option', {value, selected: value === account.role}, words)));
    return h('div', {class: 'role'}, select, button(page, t('admin.change'), () => change(account, row(), {role: select.value}, 'admin.changed')));
  }
  function askToDisable(account, row) {
    ask(t('admin.disable', {name: account.name}), [h('p', {}, t('admin.disable-says'))], (close) => [
      button(page, t('admin.disable-sure'), async () => {
        await change(account, row, {disabled: true}, 'admin.disabled');
        close();
      }, 'main'), keep(close, 'admin.leave')]);
  }
  function askForNew() {
    const fields = new Fields();
    ask(t('admin.new'), [fields.text('name', t('sign-in.name')), fields.text('email', t('sign-in.email'), {type: 'email'}),
      fields.text('password', t('sign-in.password'), {type: 'password', autocomplete: 'new-password'}), fields.select('role', t('admin.role'), roleOptions())],
    (close) => [button(page, t('admin.create'), async () => {
      let made;
      const wish = Object.fromEntries(['name', 'email', 'password', 'role'].map((name) => [name, fields.value(name)]));
      if (!await fields.enter(async () => { made = await page.api.post('/v1/admin/accounts', wish); })) return;
      close();
      rows.prepend(line(made));
      notice.textContent = t('admin.created', {name: wish.name});
    }, 'main'), keep(close, 'admin.leave')]);
  }

  const columns = ['admin.who', 'admin.since', 'admin.role', 'admin.state', 'admin.act'].map((key) => h('th', {scope: 'col'}, t(key)));
  page.show(head,
    h('form', {role: 'search', class: 'panel', submit: search}, h('div', {class: 'field'}, h('label', {for: whatId}, t('admin.what')), what),
      h('div', {class: 'row'}, h('button', {class: 'main'}, t('find.go')), button(page, t('admin.new'), async () => askForNew()))),
    notice, h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': t('admin.accounts')}, h('table', {}, h('thead', {}, h('tr', {}, columns)), rows)),
    h('p', {}, more));
  await search();
});
