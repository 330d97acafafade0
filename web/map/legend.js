// @ts-check
/** Prices with what is free at each, which also filter the map; and what the shapes mean. */

import {fill, h} from '../dom.js';
import {count, money} from '../format.js';
import {t} from '../text.js';
import {paintSeat} from './look.js';

const SHAPES = ['free', 'chosen', 'yours', 'held', 'sold', 'blocked'];

export class Legend {
  /** Categories that are looked for; none means all. @type {Set<number>} */ wanted = new Set();

  /**
   * @param {import('./chart.js').Chart} chart @param {import('./picture.js').Picture} picture
   * @param {import('./look.js').Look} look @param {() => void} changed
   */
  constructor(chart, picture, look, changed) {
    this.chart = chart;
    this.picture = picture;
    this.frees = chart.categories.map(() => h('span', {class: 'quiet'}));
    this.buttons = chart.categories.map((category, number) => h('button', {
      type: 'button', 'aria-pressed': 'false', click: () => {
        if (!this.wanted.delete(number)) this.wanted.add(number);
        this.#mark();
        changed();
      },
    }, h('span', {class: `swatch c${category.colour + 1}`, 'aria-hidden': 'true'}), h('span', {}, category.name),
    h('strong', {}, money(category.price, chart.currency)), this.frees[number]));
    this.prices = h('div', {class: 'prices', role: 'group', 'aria-label': t('legend.prices')}, this.buttons);
    this.shapes = h('ul', {class: 'shapes', 'aria-label': t('legend.shapes')});
    this.refresh(look);
    this.count();
  }

  /** Categories that are not looked for. */
  get dimmed() {
    if (this.wanted.size === 0) return new Set();
    return new Set(this.chart.categories.map((_, number) => number).filter((number) => !this.wanted.has(number)));
  }

  count() {
    for (const [number, place] of this.frees.entries()) {
      const free = this.picture.categoryFree[number];
      place.textContent = free === 0 ? t('map.none-free') : t('map.free', {n: free, count: count(free)});
    }
  }

  refresh(/** @type {import('./look.js').Look} */ look) {
    const shapes = this.chart.accessible.includes(1) ? [...SHAPES, 'accessible'] : SHAPES;
    fill(this.shapes, shapes.map((shape) => h('li', {}, drawn(shape, look), t(`seat.${shape}`))));
  }

  #mark() {
    for (const [number, button] of this.buttons.entries()) {
      button.setAttribute('aria-pressed', String(this.wanted.has(number)));
    }
  }
}

function drawn(shape, look) {
  const canvas = h('canvas', {width: 44, height: 44, 'aria-hidden': 'true'});
  const context = canvas.getContext('2d');
  context.translate(22, 22);
  context.lineCap = 'round';
  const accessible = shape === 'accessible';
  paintSeat(context, accessible ? 'free' : shape, 15, look.categories[0], accessible, look);
  return canvas;
}
