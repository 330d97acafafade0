// @ts-check
/** The map of places that nobody can buy yet, as customers will see it. */

import {fill, h} from '../dom.js';
import {count} from '../format.js';
import '../map/seat-map.js';
import {t} from '../text.js';

/** @param {HTMLElement} place @param {any} drawing as the service draws a chart */
export function showPlaces(place, drawing) {
  const map = h('seat-map', {});
  const places = drawing.sections.flatMap((section) => section.rows).reduce((sum, row) => sum + row.seats.length, 0)
    + drawing.areas.reduce((sum, area) => sum + area.capacity, 0);
  fill(place, h('p', {class: 'notice', role: 'status'}, t('new.good', {n: places, count: count(places)})), map);
  map.preview(drawing);
  return map;
}
