// @ts-check
/** The seats most like the ones that somebody wanted and cannot have. */

/** @typedef {import('./chart.js').Chart} Chart @typedef {import('./picture.js').Picture} Picture */

/** What another price or section counts against being near, in distances of neighbours. */
const OTHER_PRICE = 40;
const OTHER_SECTION = 12;

/**
 * As many free seats side by side as were wanted, nearest to where they were; null when there are none.
 * @param {Chart} chart @param {Picture} picture @param {number[]} wanted @returns {number[] | null}
 */
export function nearestAlternative(chart, picture, wanted) {
  if (wanted.length === 0) return null;
  const x = middle(wanted.map((at) => chart.x[at]));
  const y = middle(wanted.map((at) => chart.y[at]));
  const category = chart.category[wanted[0]];
  const section = chart.sectionOf(wanted[0]);
  let [best, least] = [/** @type {number[] | null} */ (null), Infinity];
  for (const row of chart.rows) {
    for (const run of runs(chart, picture, row, wanted.length)) {
      const far = Math.hypot(middle(run.map((at) => chart.x[at])) - x, middle(run.map((at) => chart.y[at])) - y);
      const cost = far / chart.spacing + (chart.category[run[0]] === category ? 0 : OTHER_PRICE)
        + (chart.sectionOf(run[0]) === section ? 0 : OTHER_SECTION);
      if (cost < least) [best, least] = [run, cost];
    }
  }
  return best;
}

/** Every way to sit side by side in a row: free all along, and no aisle in between. */
function* runs(chart, picture, row, length) {
  let start = row.first;
  for (let at = row.first; at < row.first + row.count; at += 1) {
    const breaks = at > row.first && gap(chart, at - 1, at) > chart.spacing * 1.5;
    if (breaks) start = at;
    if (!picture.isFree(at)) start = at + 1;
    else if (at - start + 1 >= length) yield Array.from({length}, (_, index) => at - length + 1 + index);
  }
}

const gap = (chart, a, b) => Math.hypot(chart.x[a] - chart.x[b], chart.y[a] - chart.y[b]);
const middle = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
