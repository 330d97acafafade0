// @ts-check
/**
 * `<seat-map event="…" api="https://tickets.example">`: the seats of an event, live, to choose from.
 *
 * Attributes: `event`, the event's id; `api`, the service's address, empty for the page's own; `limit`, how many
 * seats may be chosen; `mode`, `choose` or, for organisers, `manage` (blocked seats can be chosen, too).
 *
 * Events: `ready`, `choice`, `lost` (`detail.seats`: chosen seats that somebody else took), `connection`
 * (`detail`: live, polling or offline), `picture` (the counts are others now).
 */

import {fill, h, speaker} from '../dom.js';
import {t} from '../text.js';
import {Areas} from './areas.js';
import {Camera} from './camera.js';
import {Card} from './card.js';
import {Chart} from './chart.js';
import {Choice} from './choice.js';
import {Feed} from './feed.js';
import {followGestures} from './gestures.js';
import {followKeys} from './keys.js';
import {Legend} from './legend.js';
import {List} from './list.js';
import {Look} from './look.js';
import {Minimap} from './minimap.js';
import {nearestAlternative} from './nearest.js';
import {NEAR} from './overview.js';
import {Painter} from './painter.js';
import {Picture, STATES} from './picture.js';
import {sayReason, sayWhole} from './say.js';
import {sheet} from './style.js';
import {Tiles} from './tiles.js';

const baseOf = (/** @type {string} */ event, /** @type {string} */ api) => `${api.replace(/\/$/, '')}/v1/events/${event}`;

/** The chart and the first snapshot, both at once. */
function askFor(/** @type {string} */ base) {
  const chart = fetch(`${base}/seats`).then((answer) => {
    if (!answer.ok) throw new Error(`the chart: ${answer.status}`);
    return answer.json();
  });
  // Whoever waits for it hears of it; until then it is nobody's fault.
  chart.catch(() => {});
  return {chart, first: Feed.ahead(base)};
}

export class SeatMap extends HTMLElement {
  /** @type {Chart | null} */ chart = null;
  /** @type {Picture | null} */ picture = null;
  /** Seats that the service refused, and why. @type {Map<number, string>} */ notes = new Map();
  /** @type {any} */ #parts = null;
  /** @type {Feed | null} */ #feed = null;
  /** @type {(() => void)[]} what undoes what was done to the page */ #undo = [];
  #frame = 0;
  #cursor = -1;
  #aimed = -1;
  #wasDrawn = false;
  #say = speaker();

  constructor() {
    super();
    this.attachShadow({mode: 'open'}).adoptedStyleSheets = [sheet];
  }

  connectedCallback() {
    this.#wait(t('map.loading'));
    const event = this.getAttribute('event');
    if (event) this.#load(baseOf(event, this.getAttribute('api') ?? ''));
  }

  disconnectedCallback() { this.#close(); }

  /** What is chosen: `{seats: [ids], areas: {key: places}}`, as the service takes it. */
  get choice() { return this.#parts?.choice.named ?? {seats: [], areas: {}}; }

  /** How many places are chosen, and what they cost in minor units. */
  get sum() { return {count: this.#parts?.choice.size ?? 0, amount: this.#parts?.choice.amount ?? 0}; }

  set limit(/** @type {number | null} */ most) { if (this.#parts) this.#parts.choice.limit = most ?? Infinity; }

  /** Chooses exactly these seats, as far as they can be had. */
  choose(/** @type {string[]} */ ids, /** @type {Record<string, number>} */ areas = {}) {
    const {choice} = this.#parts;
    const places = Object.entries(areas).map(([key, number]) => [this.chart?.areaNumbers.get(key), number]);
    choice.set(this.#numbers(ids).filter((at) => choice.canChoose(at)), places.filter(([area]) => area !== undefined));
  }

  clear() { this.#parts?.choice.set([]); }

  /** These seats are held for this very customer: shown as theirs, not as taken. */
  set yours(/** @type {string[]} */ ids) {
    const {choice, list} = this.#parts;
    const before = choice.yours;
    choice.yours = new Set(this.#numbers(ids));
    list.refresh(new Set([...before, ...choice.yours]));
    this.#wish();
  }

  /** Says at each seat why the service refused it, and shows the first. */
  explain(/** @type {{id: string, reason: string}[]} */ refusals) {
    this.notes.clear();
    for (const {id, reason} of refusals) {
      const at = this.chart?.numberOf(id);
      if (at !== undefined) this.notes.set(at, reason);
    }
    this.#parts.list.refresh(this.notes.keys());
    const [first] = this.notes.keys();
    if (first !== undefined) {
      this.#point(first);
      this.#parts.camera.reveal(this.chart?.x[first] ?? 0, this.chart?.y[first] ?? 0, this.#nearScale);
      this.#say.say([...this.notes].map(([at, reason]) => `${sayWhole(this.#parts.choice, at)}. ${sayReason(reason)}`).join(' '));
    }
    this.#wish();
  }

  /** As many free seats side by side nearest to these; null when there are none. @returns {string[] | null} */
  alternativeTo(/** @type {string[]} */ ids) {
    if (!this.chart || !this.picture) return null;
    return nearestAlternative(this.chart, this.picture, this.#numbers(ids))?.map((at) => this.chart?.ids[at] ?? '') ?? null;
  }

  /** Everything known of a seat. */
  seat(/** @type {string} */ id) {
    const at = this.chart?.numberOf(id);
    return at === undefined ? null : this.chart?.seat(at) ?? null;
  }

  /** Where a seat is on the page, in pixels: for tests and for callouts of the page around. */
  pointOf(/** @type {string} */ id) {
    const at = this.chart?.numberOf(id) ?? -1;
    const box = this.#parts.canvas.getBoundingClientRect();
    const [x, y] = this.#parts.camera.toScreen(this.chart?.x[at] ?? 0, this.chart?.y[at] ?? 0);
    return {x: box.left + x, y: box.top + y};
  }

  /** Shows a seat so near that it can be chosen. */
  reveal(/** @type {string} */ id) {
    const at = this.chart?.numberOf(id);
    if (at !== undefined) this.#parts.camera.reveal(this.chart?.x[at] ?? 0, this.chart?.y[at] ?? 0, this.#nearScale);
  }

  /** Opens the list of seats and brings the keyboard to it. */
  openList() { this.#parts?.list.open(); }

  /** A chart without an event, for whoever makes one. */
  preview(/** @type {object} */ drawing) {
    this.#close();
    this.#open(drawing);
  }

  get camera() { return this.#parts.camera; }

  /** The scale at which a seat can well be hit. */
  get #nearScale() { return NEAR * 1.7 / this.#parts.tiles.seatSize(1); }

  #numbers(/** @type {string[]} */ ids) {
    return /** @type {number[]} */ (ids.map((id) => this.chart?.numberOf(id)).filter((at) => at !== undefined));
  }

  #wait(words, ...more) {
    fill(/** @type {ShadowRoot} */ (this.shadowRoot), h('div', {class: 'waiting', role: 'status'}, h('p', {}, words), ...more));
  }

  /** Charts that were asked for before there was a map to show them. @type {Map<string, ReturnType<typeof askFor>>} */
  static #coming = new Map();

  /** Asks for an event's chart now, for a map that will be there in a moment. */
  static ahead(/** @type {string} */ event, api = '') {
    const base = baseOf(event, api);
    SeatMap.#coming.set(base, askFor(base));
  }

  async #load(/** @type {string} */ base) {
    const {chart, first} = SeatMap.#coming.get(base) ?? askFor(base);
    SeatMap.#coming.delete(base);
    try {
      const drawing = await chart;
      if (!this.isConnected) return;
      this.#open(drawing, base, first);
    } catch {
      if (!this.isConnected) return;
      this.#wait(t('map.failed'), h('button', {type: 'button', click: () => this.#load(base)}, t('map.again')));
    }
  }

  #open(drawing, base = '', /** @type {Promise<Response> | undefined} */ first = undefined) {
    const chart = new Chart(drawing);
    const picture = new Picture(chart);
    [this.chart, this.picture] = [chart, picture];
    const look = new Look(this);
    const camera = new Camera(chart.box);
    const choice = new Choice(chart, picture);
    choice.manages = this.getAttribute('mode') === 'manage';
    if (this.hasAttribute('limit')) choice.limit = Number(this.getAttribute('limit'));
    const list = new List(choice, {toggle: (at) => this.#toggle(at), notes: this.notes});
    const tiles = new Tiles(chart, picture, look);
    const legend = new Legend(chart, picture, look, () => { tiles.refresh({dimmed: legend.dimmed}); this.#wish(); });
    const areas = new Areas(choice, this.#say.say);
    const card = new Card(choice, camera);
    const minimap = new Minimap(chart, camera, look);
    const canvas = h('canvas', {tabindex: 0, role: 'application', 'aria-label': t('map.name'), 'aria-describedby': 'how'});
    const connection = h('p', {class: 'connection', role: 'status', hidden: true});
    const painter = new Painter(canvas, camera, choice, tiles, look);
    this.#parts = {camera, choice, list, tiles, legend, areas, card, minimap, canvas, connection, painter};
    const tool = (name, sign, act) => h('button', {type: 'button', 'aria-label': t(name), title: t(name), click: act}, sign);
    const stage = h('div', {class: 'stage'}, canvas, card.element, minimap.element, connection,
      h('div', {class: 'tools', role: 'group', 'aria-label': t('map.tools')},
        tool('map.closer', '+', () => camera.step(1.6)), tool('map.farther', '−', () => camera.step(1 / 1.6)),
        tool('map.all', '⤢', () => camera.showAll())));
    const how = h('p', {id: 'how', class: 'unseen'}, t('map.how'));
    fill(/** @type {ShadowRoot} */ (this.shadowRoot), list.element, legend.prices, areas.element, how, stage, legend.shapes, this.#say.element);
    this.#follow(stage);
    if (base) this.#connect(base, first); else picture.reset({version: '', taken: {}});
  }

  #follow(stage) {
    const {camera, canvas, choice, list, areas, tiles, legend, minimap, card} = this.#parts;
    const {picture} = this;
    const resized = new ResizeObserver(() => camera.resize(canvas.clientWidth, canvas.clientHeight));
    resized.observe(stage);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const relook = () => {
      const look = new Look(this);
      this.#parts.painter.look = look;
      tiles.refresh({look});
      legend.refresh(look);
      minimap.refresh(look);
      this.#wish();
    };
    dark.addEventListener('change', relook);
    this.#undo.push(() => resized.disconnect(), () => dark.removeEventListener('change', relook),
      followGestures(canvas, camera, {
        tap: (x, y) => this.#tap(x, y), aim: (x, y) => this.#aim(x, y), leave: () => this.#point(-1)}),
      followKeys(canvas, this.chart, camera, {
        at: () => this.#cursor, go: (at) => this.#walk(at), choose: () => this.#chooseHere(), leave: () => this.#point(-1)}));
    canvas.addEventListener('focus', () => this.#wish());
    canvas.addEventListener('blur', () => { this.#cursor = -1; this.#point(-1); });
    camera.addEventListener('move', () => {
      if (!card.element.hidden && this.#aimed >= 0) this.#point(this.#aimed);
      this.#wish();
    });
    picture?.addEventListener('change', (/** @type {any} */ {detail: {seats}}) => {
      if (seats) tiles.repaint(seats); else tiles.refresh();
      this.#renote(seats ?? [...this.notes.keys()]);
      choice.mind(seats ?? [...choice.seats]);
      list.refresh(seats);
      legend.count();
      areas.refresh();
      this.#tell('picture');
      this.#wish();
    });
    let before = new Set();
    choice.addEventListener('change', () => {
      const touched = new Set([...before, ...choice.seats, ...this.notes.keys()]);
      before = new Set(choice.seats);
      this.notes.clear();
      list.refresh(touched);
      areas.refresh();
      this.#tell('choice');
      this.#wish();
    });
    choice.addEventListener('lost', (/** @type {any} */ {detail: {seats}}) => {
      this.#say.say(seats.map((at) => `${sayWhole(choice, at)}. ${sayReason(choice.picture.stateOf(at))}`).join(' '));
      this.#tell('lost', {seats: seats.map((at) => this.chart?.ids[at])});
    });
  }

  /** What is said at a seat goes with the seat: held is not sold, and free is nothing to be said. */
  #renote(/** @type {number[]} */ seats) {
    const picture = /** @type {Picture} */ (this.picture);
    for (const at of seats) {
      if (!STATES.includes(/** @type {any} */ (this.notes.get(at)))) continue;
      if (picture.isFree(at)) this.notes.delete(at);
      else this.notes.set(at, picture.stateOf(at));
    }
    if (this.#aimed >= 0 && seats.includes(this.#aimed)) this.#point(this.#aimed);
  }

  async #connect(base, first) {
    const feed = this.#feed = new Feed(base, /** @type {Picture} */ (this.picture), first);
    const {connection} = this.#parts;
    feed.addEventListener('state', (/** @type {any} */ {detail}) => {
      connection.hidden = detail === 'live';
      connection.textContent = detail === 'live' ? '' : t(`connection.${detail}`);
      this.#tell('connection', detail);
    });
    await feed.start();
    if (this.#feed === feed) this.#tell('ready');
  }

  #close() {
    this.#feed?.stop();
    this.#feed = null;
    for (const undo of this.#undo.splice(0)) undo();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  #tell(/** @type {string} */ name, /** @type {any} */ detail = null) {
    this.dispatchEvent(new CustomEvent(name, {detail, bubbles: true, composed: true}));
  }

  #toggle(/** @type {number} */ at) {
    const {choice} = this.#parts;
    const came = choice.toggle(at);
    const note = came === 'limit' ? 'limit' : came === 'taken' ? choice.picture.stateOf(at) : '';
    if (note) {
      this.notes.set(at, note);
      this.#parts.list.refresh([at]);
      this.#point(at);
    }
    this.#say.say(note ? `${sayWhole(choice, at)}. ${sayReason(note)}` : sayWhole(choice, at));
  }

  #tap(/** @type {number} */ left, /** @type {number} */ top) {
    const {camera, areas} = this.#parts;
    const [x, y] = camera.toChart(left, top);
    const target = this.#target(x, y);
    if (target.seat >= 0) {
      this.#cursor = target.seat;
      this.#point(target.seat);
      this.#toggle(target.seat);
    } else if (target.area) areas.focus(target.area.number);
    else if (target.section && !this.#isNear) camera.show(target.section.box);
  }

  get #isNear() { return this.#parts.tiles.seatSize(this.#parts.camera.scale) >= NEAR; }

  /** What lies at a point of the chart: a seat where it is near enough to hit, else its part of the house. */
  #target(x, y) {
    const {camera} = this.#parts;
    const chart = /** @type {Chart} */ (this.chart);
    // Fingers are blunt: near seats may be missed by some pixels.
    const seat = this.#isNear ? chart.nearest(x, y, Math.max(chart.spacing * 0.6, 9 / camera.scale)) : -1;
    return {seat, area: seat < 0 ? chart.areaAt(x, y) : undefined, section: seat < 0 ? chart.sectionAt(x, y) : undefined};
  }

  #aim(left, top) {
    const target = this.#target(...this.#parts.camera.toChart(left, top));
    const part = target.area ?? (this.#isNear ? undefined : target.section) ?? null;
    this.#parts.canvas.style.cursor = target.seat >= 0 || part ? 'pointer' : 'grab';
    if (part !== this.#parts.aim) {
      this.#parts.aim = part;
      this.#wish();
    }
    if (target.seat !== this.#aimed) this.#point(target.seat);
  }

  #walk(/** @type {number} */ at) {
    const {camera, choice} = this.#parts;
    this.#cursor = at;
    camera.reveal(this.chart?.x[at] ?? 0, this.chart?.y[at] ?? 0, this.#nearScale);
    this.#point(at);
    this.#say.say(sayWhole(choice, at));
  }

  #chooseHere() { if (this.#cursor >= 0) this.#toggle(this.#cursor); }

  /** Shows the card of a seat, with why it was refused if it was. */
  #point(/** @type {number} */ at) {
    const {card, tiles, camera} = this.#parts;
    this.#aimed = at;
    const note = this.notes.get(at);
    card.show(at, tiles.seatSize(camera.scale), note && sayReason(note));
    this.#wish();
  }

  /** Asks to be drawn with the next frame, however often it is asked. */
  #wish() { this.#frame ||= requestAnimationFrame((now) => this.#draw(now)); }

  #draw(/** @type {number} */ now) {
    this.#frame = 0;
    const {painter, aim, canvas, minimap} = this.#parts;
    const hasKeys = this.shadowRoot?.activeElement === canvas;
    const isUnfinished = painter.draw(now, {aim, notes: this.notes, aimed: this.#aimed, cursor: hasKeys ? this.#cursor : -1});
    minimap.draw(painter.density);
    if (isUnfinished) this.#wish();
    else if (!this.#wasDrawn && this.picture?.version) {
      this.#wasDrawn = true;
      performance.mark('seat-map-drawn');
    }
  }
}

customElements.define('seat-map', SeatMap);
