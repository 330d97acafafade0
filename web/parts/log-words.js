// @ts-check
/** What a line of the audit log says, in words that people read. */

import {count} from '../format.js';
import {t} from '../text.js';

/** Seats that a line names before it only counts them. */
const NAMED = 12;

/** @type {Record<string, string>} */
const DEEDS = {
  'event drafted': 'log.event-drafted', 'event published': 'log.event-published', 'draft changed': 'log.draft-changed',
  'draft discarded': 'log.draft-discarded', 'event changed': 'log.event-changed', 'event cancelled': 'log.event-cancelled',
  'seats blocked': 'log.seats-blocked', 'seats unblocked': 'log.seats-unblocked', 'seats given': 'log.seats-given',
  'role changed': 'log.role-changed', 'account disabled': 'log.account-disabled', 'account enabled': 'log.account-enabled',
};
/** @type {Record<string, string>} */
const ACTORS = {stripe: 'log.by-stripe', clock: 'log.by-clock', reconciler: 'log.by-reconciler'};
/** @type {Record<string, string>} */
const FIELDS = {
  title: 'log.field-title', description: 'log.field-description', venue: 'log.field-venue', starts_at: 'log.field-starts',
  ends_at: 'log.field-ends', sale_starts_at: 'log.field-sale-starts', sale_ends_at: 'log.field-sale-ends',
  max_per_customer: 'log.field-limit', offer_seconds: 'log.field-offer', orphan_rule: 'log.field-orphan-rule',
  waitlist: 'log.field-waitlist', waitlist_cutoff_seconds: 'log.field-cutoff', room_minutes: 'log.field-room',
};

/** A line of a newer service than this page is still a line: what has no words yet is shown as it is. */
const said = (/** @type {Record<string, string>} */ words, /** @type {string} */ name) => (words[name] ? t(words[name]) : name);

/** Who did it. */
export const actorOf = (/** @type {any} */ line) => line.actor_name ?? said(ACTORS, line.actor);

/** What was done, and with what. @returns {{deed: string, detail: string}} */
export function deedOf(/** @type {any} */ line) {
  if (line.kind === 'order') return {deed: t('log.order', {state: t(`order-state.${line.action}`)}), detail: ''};
  if (line.kind === 'party') return {deed: t(`log.party-${line.action}`), detail: ''};
  return {deed: said(DEEDS, line.action), detail: detailOf(line.detail)};
}

function detailOf({seats, fields, from, to}) {
  if (Array.isArray(seats)) {
    const rest = seats.length - NAMED;
    return [seats.slice(0, NAMED).join(', '), rest > 0 && t('log.more-seats', {n: rest, count: count(rest)})].filter(Boolean).join(' ');
  }
  if (Array.isArray(fields)) return fields.map((field) => said(FIELDS, field)).join(', ');
  return from && to ? `${t(`role.${from}`)} → ${t(`role.${to}`)}` : '';
}
