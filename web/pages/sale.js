// @ts-check
/** The dashboard of a sale: how it stands, second by second. Of a draft: what it is, and how it becomes a sale. */

import {fill, h} from '../dom.js';
import {count, money} from '../format.js';
import {Chart} from '../map/chart.js';
import {Feed} from '../map/feed.js';
import {Picture} from '../map/picture.js';
import {CallingOff} from '../parts/calling-off.js';
import {ask, keep} from '../parts/dialog.js';
import {showDraft} from '../parts/draft.js';
import {button} from '../parts/frame.js';
import {lines} from '../parts/plot.js';
import {Report, downloads} from '../parts/report.js';
import {openSale, saleHead} from '../parts/sale.js';
import {t} from '../text.js';

/** How often the money is asked for; seats come by themselves. */
const REPORT_MS = 4000;
/** The same while a cancelled event's money goes back, which somebody waits for. */
const CALLING_OFF_MS = 1000;
/** Seats held a second are counted over so many seconds. */
const WINDOW_S = 10;
/** Seconds that the live plot shows. */
const SHOWN_S = 120;

openSale(t('sale.dashboard'), async (page, event) => {
  const drawing = await page.api.get(`/v1/events/${event.id}/seats`);
  const picture = new Picture(new Chart(drawing));
  const figures = {};
  const figure = (key) => h('div', {}, h('dt', {}, t(`sale.${key}`)), figures[key] = h('dd', {}, '–'));
  const says = h('p', {class: 'notice', role: 'status', hidden: true});
  const live = h('div', {});
  const report = new Report(event);
  const callingOff = new CallingOff();
  page.show(saleHead(event, t('sale.dashboard')), says, callingOff.element,
    h('dl', {class: 'figures'}, ['free', 'held', 'sold', 'blocked', 'waiting', 'revenue', 'given', 'rate', 'let-in'].map(figure)),
    h('section', {class: 'panel', 'aria-labelledby': 'live'}, h('h2', {id: 'live'}, t('sale.live')), live), report.element,
    downloads(page, event),
    event.status !== 'cancelled' && h('div', {class: 'columns'}, button(page, t('sale.cancel'), async () => askToCancel(page, event), 'plain')));

  /** Seats that became held, second by second. */
  const holds = [];
  const history = [];
  const before = new Uint8Array(picture.states);
  const beforePlaces = picture.places.map((places) => new Uint8Array(places));
  let fresh = 0;
  picture.addEventListener('change', () => {
    // What became held since the last look, wherever: compared, because a change names no old state.
    const each = (now, old) => {
      for (let at = 0; at < now.length; at += 1) {
        if (now[at] === old[at]) continue;
        if (now[at] === 1 && history.length > 0) fresh += 1;
        old[at] = now[at];
      }
    };
    each(picture.states, before);
    for (const [area, places] of picture.places.entries()) each(places, beforePlaces[area]);
    draw();
  });

  function draw() {
    const [free, held, sold, blocked] = picture.counts;
    for (const [key, value] of Object.entries({free, held, sold, blocked})) figures[key].textContent = count(value);
  }
  function tick() {
    const [, held, sold] = picture.counts;
    holds.push(fresh);
    fresh = 0;
    if (holds.length > WINDOW_S) holds.shift();
    figures.rate.textContent = (holds.reduce((sum, number) => sum + number, 0) / holds.length).toFixed(1);
    history.push([held, sold]);
    if (history.length > SHOWN_S) history.shift();
    fill(live, lines(history, ['held', 'sold'], t('sale.live-says', {held: count(held), sold: count(sold)})),
      h('p', {class: 'key', 'aria-hidden': 'true'}, h('span', {}, t('sale.sold')), h('span', {class: 'held'}, t('sale.held'))));
  }
  async function showReport() {
    try {
      const now = await page.api.get(`/v1/admin/events/${event.id}/report`);
      figures.revenue.textContent = money(now.revenue, event.currency);
      figures.waiting.textContent = count(now.waiting);
      figures['let-in'].textContent = count(now.checked_in);
      figures.given.textContent = count(now.complimentary);
      report.show(now);
      callingOff.show(now.calling_off);
    } catch (problem) {
      if (problem.code === undefined) throw problem;
    }
    setTimeout(showReport, callingOff.isUnderWay ? CALLING_OFF_MS : REPORT_MS);
  }

  const feed = new Feed(`/v1/events/${event.id}`, picture);
  feed.addEventListener('state', (/** @type {any} */ {detail}) => {
    says.hidden = detail === 'live';
    says.textContent = detail === 'live' ? '' : t(`connection.${detail}`);
  });
  await feed.start();
  draw();
  tick();
  setInterval(tick, 1000);
  await showReport();
}, showDraft);

function askToCancel(page, event) {
  ask(t('sale.cancel'), [h('p', {}, t('sale.cancel-says'))], (close) => [
    button(page, t('sale.cancel-sure'), async () => {
      await page.api.post(`/v1/admin/events/${event.id}/cancel`);
      location.reload();
    }, 'main'), keep(close)]);
}
