// @ts-check
/**
 * The door: one code after the other, from a scanner that types or by hand.
 *
 * A forged code is known before anybody is asked. Without connection a genuine one is let in on its signature, at the
 * door's own risk; the scan waits here until the list can be asked, and then gets its verdict.
 */

import {h} from '../dom.js';
import {time} from '../format.js';
import {openSale, saleHead} from '../parts/sale.js';
import {Scans} from '../parts/scans.js';
import {namesOf, seatName} from '../parts/seats.js';
import {Keys, tidy} from '../parts/ticket-code.js';
import {t, tellProblem} from '../text.js';

/** How many of the last ones stay in sight. */
const KEPT = 12;
/** How long somebody stands at a door and waits for an answer. */
const PATIENCE_MS = 3000;
/** How often what waits is tried again. */
const AGAIN_MS = 5000;
/** Refusals that say nothing of the ticket: nobody could look. */
const AWAY = new Set(['unreachable', 'unavailable', 'still_running', 'too_many_requests', 'internal']);

const MARKS = {good: '✓', bad: '✗', alone: '?'};

openSale(t('sale.door'), async (page, event) => {
  const names = namesOf(event);
  const input = h('input', {id: 'code', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', enterkeyhint: 'go'});
  const verdict = h('p', {class: 'notice door', role: 'status', hidden: true});
  const waits = h('p', {class: 'notice', role: 'status', hidden: true});
  const last = h('ol', {class: 'history', 'aria-label': t('door.last')});
  const scans = new Scans(event.id);
  const keys = new Keys(page.api);
  let asking = keys.learn().then(() => {});
  let sending = false;

  /** Asks the list. Throws when nobody could look, or we may not. */
  async function ask({code, key, at}) {
    try {
      const {ticket, customer_name: name} = await page.api.post('/v1/admin/tickets/check-in', {code, event_id: event.id, scanned_at: at},
        {key, tries: 1, patience: PATIENCE_MS});
      scans.note(ticket.id, at);
      return {kind: 'good', words: t('door.welcome', {name, seat: seatName(ticket, names)})};
    } catch (problem) {
      const {more} = problem;
      const refused = (words) => ({kind: 'bad', words});
      if (problem.code === 'already_checked_in') return refused(t('door.twice', {when: time(more.checked_in_at), name: more.checked_in_by}));
      if (problem.code === 'ticket_void') return refused(t(more.moved ? 'door.moved' : 'door.void'));
      if (problem.code === 'wrong_event') return refused(t('door.other', {title: more.event_title}));
      if (problem.code === 'not_found' || problem.code === 'invalid_request') return refused(t('door.unknown'));
      throw problem;
    }
  }

  async function check(code) {
    const {verdict: says, claim} = await keys.judge(code);
    if (says === 'forged') return tell({kind: 'bad', words: t('door.forged')});
    const scan = {code, key: crypto.randomUUID(), at: new Date().toISOString()};
    try {
      if (navigator.onLine) return tell(await ask(scan));
    } catch (problem) {
      if (!AWAY.has(problem.code)) return tell({kind: 'bad', words: tellProblem(problem)});
    }
    return tell(alone(scan, claim));
  }

  /** What can be said without the list. */
  function alone(scan, claim) {
    if (!claim) return {kind: 'bad', words: t('door.cannot-check')};
    if (claim.event !== event.number) return {kind: 'bad', words: t('door.other-alone')};
    const before = scans.seen(claim.ticket);
    if (before) return {kind: 'bad', words: t('door.seen-here', {when: time(before)})};
    scans.wait(scan);
    scans.note(claim.ticket, scan.at);
    drawWaiting();
    setTimeout(send, AGAIN_MS);
    return {kind: 'alone', words: t('door.genuine')};
  }

  function tell({kind, words}) {
    verdict.hidden = false;
    verdict.className = `notice door ${{good: 'confirmed', bad: 'bad', alone: ''}[kind]}`;
    verdict.textContent = `${MARKS[kind]} ${words}`;
    list(kind, words);
  }

  function list(kind, words) {
    last.prepend(h('li', {}, `${time(Date.now())} ${MARKS[kind]} ${words}`));
    while (last.children.length > KEPT) last.lastElementChild?.remove();
  }

  function drawWaiting() {
    const n = scans.waiting.length;
    waits.hidden = n === 0;
    waits.textContent = n === 0 ? '' : t('door.waiting', {n});
  }

  /** Sends what waits, one after the other; one page of this browser at a time. */
  async function send() {
    if (sending || !navigator.onLine) return;
    sending = true;
    try {
      await navigator.locks.request(`holdfast.scans.${event.id}`, async () => {
        for (const scan of scans.waiting) {
          const {kind, words} = await ask(scan);
          scans.answered(scan);
          const later = t('door.later', {when: time(scan.at), words});
          list(kind, later);
          // Somebody is inside who should not be: the door hears of it, whatever it does now.
          if (kind === 'bad') page.alarm(later);
        }
      });
    } catch (problem) {
      // They wait on.
      if (problem.code === undefined) console.error(problem);
    }
    sending = false;
    drawWaiting();
    if (scans.waiting.length > 0) setTimeout(send, AGAIN_MS);
  }

  page.show(saleHead(event, t('sale.door')), h('p', {class: 'quiet'}, t('door.how')),
    h('form', {class: 'panel door', submit: (/** @type {Event} */ submit) => {
      submit.preventDefault();
      const code = tidy(input.value);
      input.value = '';
      input.focus();
      // One after the other: a scanner is quicker than an answer, and each ticket gets its own.
      if (code) asking = asking.then(() => check(code));
    }}, h('div', {class: 'field'}, h('label', {for: 'code'}, t('door.code')), input), h('button', {class: 'main large'}, t('door.check'))),
    verdict, waits, last);
  addEventListener('online', send);
  drawWaiting();
  send();
  input.focus();
});
