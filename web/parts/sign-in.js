// @ts-check
/** Signing in and registering, on top of whatever page one is on: nothing that was chosen is lost. */

import {h} from '../dom.js';
import {t, tellProblem} from '../text.js';

/**
 * Asks for an account. Answers with it, or with null when the person would rather not.
 * @param {import('../api.js').Api} api
 */
export function signIn(api) {
  return new Promise((done) => {
    let isNew = false;
    const fault = h('p', {class: 'fault', role: 'alert'});
    const field = (name, type, complete, help = '') => {
      const id = `sign-in-${name}`;
      const input = h('input', {id, name, type, required: true, autocomplete: complete, 'aria-describedby': help && `${id}-help`});
      return h('div', {class: 'field'}, h('label', {for: id}, t(`sign-in.${name}`)), input,
        help && h('small', {id: `${id}-help`}, help));
    };
    const title = h('h2', {id: 'sign-in-title'});
    const name = field('name', 'text', 'name');
    const email = field('email', 'email', 'username');
    const password = field('password', 'password', 'current-password', t('sign-in.password-help'));
    const submit = h('button', {class: 'main'});
    const other = h('button', {type: 'button', class: 'plain', click: () => become(!isNew)});
    const form = h('form', {novalidate: true, submit: enter}, name, email, password, fault,
      h('p', {class: 'row'}, submit, other));
    const dialog = h('dialog', {'aria-labelledby': 'sign-in-title', close: () => { dialog.remove(); done(api.session.account); }},
      h('button', {type: 'button', class: 'plain close', 'aria-label': t('sign-in.close'), click: () => dialog.close()}, '×'),
      title, h('p', {class: 'quiet'}, t('sign-in.why')), form);

    const input = (/** @type {any} */ part) => part.querySelector('input');
    function become(/** @type {boolean} */ another) {
      isNew = another;
      title.textContent = t(isNew ? 'sign-in.register' : 'sign-in.title');
      submit.textContent = t(isNew ? 'sign-in.register' : 'sign-in.title');
      other.textContent = t(isNew ? 'sign-in.have' : 'sign-in.new');
      name.hidden = !isNew;
      password.querySelector('small').hidden = !isNew;
      input(password).autocomplete = isNew ? 'new-password' : 'current-password';
      fault.textContent = '';
      if (dialog.open) input(isNew ? name : email).focus();
    }
    async function enter(/** @type {Event} */ event) {
      event.preventDefault();
      if (submit.getAttribute('aria-busy') === 'true') return;
      submit.setAttribute('aria-busy', 'true');
      fault.textContent = '';
      try {
        const who = {email: input(email).value.trim(), password: input(password).value};
        await api.enter(isNew ? 'register' : 'login', isNew ? {...who, name: input(name).value.trim()} : who);
        dialog.close();
      } catch (problem) {
        fault.textContent = tellProblem(problem);
      }
      submit.removeAttribute('aria-busy');
    }

    become(false);
    document.body.append(dialog);
    dialog.showModal();
    input(email).focus();
  });
}
