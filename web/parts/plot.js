// @ts-check
/** Small plots, each with its sentence for whoever does not see it. */

import {svg} from '../dom.js';

const [WIDE, TALL] = [600, 120];

const frame = (says, ...marks) => svg('svg', {class: 'chart', viewBox: `0 0 ${WIDE} ${TALL}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': says}, ...marks);

/** Lines over time, one a name. @param {number[][]} points @param {string[]} names @param {string} says */
export function lines(points, names, says) {
  const most = Math.max(1, ...points.flat());
  const across = WIDE / Math.max(1, points.length - 1);
  return frame(says, ...names.map((name, at) => svg('polyline', {class: name,
    points: points.map((values, index) => `${(index * across).toFixed(1)},${(TALL - 4 - values[at] / most * (TALL - 8)).toFixed(1)}`).join(' ')})));
}

/** Fewer bars than this are drawn as if there were so many: one alone would be a wall. */
const FEW = 30;

/** Bars side by side, the last at the right. @param {number[]} values @param {string} says */
export function bars(values, says) {
  const most = Math.max(1, ...values);
  const across = WIDE / Math.max(FEW, values.length);
  const first = WIDE - across * values.length;
  return frame(says, ...values.map((value, at) => svg('rect', {x: (first + at * across + across * 0.1).toFixed(1), width: (across * 0.8).toFixed(1),
    y: (TALL - value / most * TALL).toFixed(1), height: (value / most * TALL).toFixed(1)})));
}
