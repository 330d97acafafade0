// @ts-check
/** The door: one code after the other, from a scanner that types or by hand. */

import {h} from '../dom.js';
import {time} from '../format.js';
import {openSale, saleHead} from '../parts/sale.js';
import {namesOf, seatName} from '../parts/seats.js';
import {t, tellProblem} from '../text.js';

/** How many of the last ones stay in sight. */
const KEPT = 12;

openSale(t('sale.door'), async (page, event) => {
  const names = namesOf(event);
  const input = h('input', {id: 'code', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', enterkeyhint: 'go'});
  const verdict = h('p', {class: 'notice door', role: 'status', hidden: true});
  const last = h('ol', {class: 'history', 'aria-label': t('door.last')});
  let asking = Promise.resolve();

  async function check(code) {
    let [words, good] = ['', true];
    try {
      const {ticket, customer_name: name} = await page.api.post('/v1/admin/tickets/check-in', {code, event_id: event.id});
      words = t('door.welcome', {name, seat: seatName(ticket, names)});
    } catch (problem) {
      good = false;
      const {more} = problem;
      if (problem.code === 'already_checked_in') words = t('door.twice', {when: time(more.checked_in_at), name: more.checked_in_by});
      else if (problem.code === 'ticket_void') words = t('door.void');
      else if (problem.code === 'wrong_event') words = t('door.other', {title: more.event_title});
      else words = problem.code === 'not_found' ? t('door.unknown') : tellProblem(problem);
    }
    verdict.hidden = false;
    verdict.className = `notice door ${good ? 'confirmed' : 'bad'}`;
    verdict.textContent = `${good ? '✓' : '✗'} ${words}`;
    last.prepend(h('li', {}, `${time(Date.now())} ${good ? '✓' : '✗'} ${words}`));
    while (last.children.length > KEPT) last.lastElementChild?.remove();
  }

  page.show(saleHead(event, t('sale.door')), h('p', {class: 'quiet'}, t('door.how')),
    h('form', {class: 'panel door', submit: (/** @type {Event} */ submit) => {
      submit.preventDefault();
      const code = input.value.trim();
      input.value = '';
      input.focus();
      // One after the other: a scanner is quicker than an answer, and each ticket gets its own.
      if (code) asking = asking.then(() => check(code));
    }}, h('div', {class: 'field'}, h('label', {for: 'code'}, t('door.code')), input), h('button', {class: 'main large'}, t('door.check'))),
    verdict, last);
  input.focus();
});
