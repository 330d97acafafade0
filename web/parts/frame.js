// @ts-check
/** What every page has around it: the way in, the way out, who is signed in, and a voice. */

import {Api} from '../api.js';
import {fill, h, speaker} from '../dom.js';
import {language, t, tellProblem} from '../text.js';
import {forgetHolds} from './keep.js';
import {signIn} from './sign-in.js';

/**
 * Builds the frame of a page.
 * @param {string} title of the page, for its tab; its heading is the page's own
 */
export function openPage(title) {
  const api = new Api();
  document.documentElement.lang = language;
  const main = h('main', {class: 'wide', id: 'content', tabindex: -1});
  const [calm, loud] = [speaker(), speaker('assertive')];
  const nav = h('nav', {'aria-label': t('site.nav')});
  document.body.replaceChildren(
    h('a', {class: 'skip', href: '#content'}, t('site.skip')),
    h('header', {class: 'wide top'},
      h('a', {class: 'brand', href: '/'}, mark(), t('site.name')), nav),
    main,
    h('footer', {class: 'wide'}, h('p', {}, `${t('site.foot')} `, h('a', {href: '/docs/'}, t('site.foot-link')), '.')),
    calm.element, loud.element);

  const drawNav = () => {
    const {account} = api.session;
    const link = (href, words) => h('a', {href, 'aria-current': location.pathname === href ? 'page' : null}, words);
    const enter = h('button', {type: 'button', class: 'plain', click: () => signIn(api)}, t('site.sign-in'));
    const leave = h('button', {type: 'button', class: 'plain', title: t('site.signed-in', {name: account?.name}),
      click: async () => { forgetHolds(); await api.session.end(); location.assign('/'); }}, t('site.sign-out'));
    fill(nav, link('/', t('site.events')), account && link('/orders', t('site.orders')),
      account && account.role !== 'customer' && link('/organise', t('site.organise')),
      account?.role === 'admin' && link('/admin/accounts', t('site.administration')), account ? leave : enter);
  };
  api.session.addEventListener('change', drawNav);
  drawNav();

  const page = {
    api, main,
    /** Names the page, in its tab. */
    name(/** @type {string} */ words) { document.title = `${words} · ${t('site.name')}`; },
    /** Says something to whoever listens. */
    say: calm.say,
    alarm: loud.say,
    /** Shows this instead of what is there. */
    show(...content) { fill(main, ...content); },
  };
  page.name(title);
  return page;
}

/** @typedef {ReturnType<typeof openPage>} Page */

/** Runs something that fills the page; what goes wrong is told in its place, with a way to try again. */
export async function fillPage(/** @type {Page} */ page, /** @type {() => Promise<void>} */ work, missing = '') {
  try {
    await work();
  } catch (problem) {
    if (problem.code === 'not_authenticated') {
      askToReturn(page, () => fillPage(page, work, missing));
      return;
    }
    const words = problem.code === 'not_found' && missing ? missing : tellProblem(problem);
    if (problem.code === undefined) console.error(problem);
    page.show(h('h1', {}, missing && problem.code === 'not_found' ? t('site.name') : document.title.split(' · ')[0]),
      h('p', {class: 'notice bad', role: 'alert'}, words),
      h('p', {class: 'row'}, h('button', {type: 'button', click: () => fillPage(page, work, missing)}, t('map.again')),
        h('a', {class: 'button', href: '/'}, t('site.events'))));
  }
}

/** Whoever was signed in and is not any more goes on from here when they are again. */
function askToReturn(/** @type {Page} */ page, /** @type {() => void} */ goOn) {
  const ask = async () => { if (await signIn(page.api)) goOn(); };
  page.show(h('h1', {}, document.title.split(' · ')[0]), h('p', {class: 'notice', role: 'alert'}, t('sign-in.ended')),
    h('p', {}, h('button', {type: 'button', class: 'main', click: ask}, t('site.sign-in'))));
  ask();
}

/** The account that this page is for: somebody who is not signed in is asked to, here and now. */
export async function needAccount(/** @type {Page} */ page, /** @type {string} */ title) {
  if (page.api.session.account) return page.api.session.account;
  return new Promise((done) => {
    const ask = async () => { if (await signIn(page.api)) done(page.api.session.account); };
    page.show(h('h1', {}, title), h('p', {}, t('sign-in.needed')),
      h('p', {}, h('button', {type: 'button', class: 'main', click: ask}, t('site.sign-in'))));
    ask();
  });
}

/** Runs what a button stands for: once at a time, and what goes wrong is told next to it. */
export function button(/** @type {Page} */ page, /** @type {string} */ words, /** @type {() => Promise<any>} */ act, kind = '') {
  const fault = h('p', {class: 'fault', role: 'alert'});
  const element = h('button', {type: 'button', class: kind, click: async () => {
    if (element.getAttribute('aria-busy') === 'true') return;
    // Not `disabled`: that would drop the keyboard's place on the page.
    element.setAttribute('aria-busy', 'true');
    fault.textContent = '';
    try {
      await act();
    } catch (problem) {
      if (problem.code === undefined) console.error(problem);
      fault.textContent = tellProblem(problem);
    }
    element.removeAttribute('aria-busy');
  }}, words);
  return h('div', {class: 'act'}, element, fault);
}

function mark() {
  const icon = /** @type {HTMLLinkElement} */ (document.querySelector('link[rel=icon]'));
  return h('img', {src: icon.href, alt: '', width: 28, height: 28});
}
