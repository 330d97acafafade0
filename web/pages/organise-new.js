// @ts-check
/** A new event: from a few fields, or from a chart that exists; seen before it is opened. */

import {fill, freshId, h} from '../dom.js';
import {count} from '../format.js';
import '../map/seat-map.js';
import {readChart} from '../parts/chart-file.js';
import {button, fillPage, openPage} from '../parts/frame.js';
import {readAll, readAmount, readNumber} from '../parts/faults.js';
import {needOrganiser} from '../parts/sale.js';
import {SectionFields} from '../parts/section-fields.js';
import {t} from '../text.js';

const page = openPage(t('new.title'));
/** Without these there is no event. */
const NEEDED = ['title', 'starts_at'];
/** When an event is whose date is not known yet. */
const SOMETIME = {starts_at: '2100-01-01T20:00:00Z'};
/** The fields and their labels, by the name that the service has for them. @type {Record<string, any>} */
const [fields, labels] = [{}, {}];

fillPage(page, async () => {
  if (!await needOrganiser(page, t('new.title'))) return;
  const sections = new SectionFields();
  const chart = h('textarea', {id: 'chart', spellcheck: 'false', 'aria-describedby': 'chart-help'});
  const file = h('input', {id: 'file', type: 'file', accept: '.json,.csv,application/json,text/csv',
    change: async () => { chart.value = await file.files[0]?.text() ?? ''; }});
  const ways = {
    simple: h('div', {class: 'fields'}, field('total_tickets', 'new.tickets', {inputmode: 'numeric', value: '100'}), field('price', 'new.price', {inputmode: 'decimal', value: '10.00'})),
    rows: sections.element,
    chart: h('div', {}, h('div', {class: 'field'}, h('label', {for: 'file'}, t('new.file')), file),
      h('div', {class: 'field'}, h('label', {for: 'chart'}, t('new.chart')), chart, h('small', {id: 'chart-help'}, t('new.chart-help')))),
  };
  let kind = 'rows';
  const choose = (one) => {
    kind = one;
    for (const [name, part] of Object.entries(ways)) part.hidden = name !== one;
  };
  const faults = h('div', {role: 'alert'});
  const seen = h('div', {});

  /** The form as the service takes it; faults of our own are thrown as it would tell them. */
  function form() {
    const value = (name) => fields[name].value.trim();
    const moment = (name) => value(name) && new Date(value(name)).toISOString();
    const currency = value('currency').toLowerCase();
    const facts = {title: value('title'), currency};
    for (const name of ['description', 'venue']) if (value(name)) facts[name] = value(name);
    for (const name of ['starts_at', 'sale_starts_at', 'sale_ends_at']) if (value(name)) facts[name] = moment(name);
    const [most, places] = readAll([
      () => (value('max_per_customer') ? readNumber(value('max_per_customer'), 'max_per_customer') : undefined),
      () => {
        if (kind === 'rows') return sections.read(currency);
        if (kind === 'chart') return readChart(chart.value, currency);
        const [tickets, price] = readAll([() => readNumber(value('total_tickets'), 'total_tickets'), () => readAmount(value('price'), currency, 'price')]);
        return {total_tickets: tickets, price};
      }]);
    return {...facts, ...most !== undefined && {max_per_customer: most}, ...places};
  }
  /** Does something with the form, and tells every fault of it. */
  const withForm = (act) => async () => {
    fill(faults);
    const missing = NEEDED.filter((name) => !fields[name].value.trim()).map((field) => ({field, message: t('new.required')}));
    try {
      await act(form(), missing);
      tell(missing);
    } catch (problem) {
      const named = problem.more?.errors;
      if (!named) throw problem;
      fill(seen);
      tell([...missing, ...named.filter((fault) => !missing.some(({field}) => field === fault.field))]);
    }
  };
  const tell = (named) => fill(faults, named.length > 0 && h('div', {class: 'notice bad'}, t('new.faults'),
    h('ul', {}, named.map(({field, message}) => h('li', {}, field ? t('new.fault', {field: labels[field] ?? field, message}) : message)))));
  const preview = async (wish) => {
    // The places can be looked at before it is known when the event is.
    const drawing = await page.api.post('/v1/admin/charts/preview', {...SOMETIME, ...wish, title: wish.title || t('new.title')});
    const map = h('seat-map', {});
    const places = drawing.sections.flatMap((section) => section.rows).reduce((sum, row) => sum + row.seats.length, 0)
      + drawing.areas.reduce((sum, area) => sum + area.capacity, 0);
    fill(seen, h('p', {class: 'notice', role: 'status'}, t('new.good', {n: places, count: count(places)})), map);
    map.preview(drawing);
    map.scrollIntoView({block: 'nearest'});
  };
  const create = async (wish, missing) => {
    // Everything is looked at before anything is said, so that all faults are told at once.
    if (missing.length > 0) {
      await preview(wish);
      return;
    }
    const event = await page.api.post('/v1/admin/events', wish);
    location.assign(`/organise/${event.id}`);
  };
  const way = (one) => {
    const id = freshId('kind');
    return h('p', {class: 'choice'}, h('input', {type: 'radio', name: 'kind', id, checked: one === kind, change: () => choose(one)}), h('label', {for: id}, t(`new.kind-${one}`)));
  };
  page.show(h('h1', {}, t('new.title')),
    h('fieldset', {}, h('legend', {}, t('new.facts')), h('div', {class: 'fields'},
      field('title', 'new.name', {required: true}), field('venue', 'new.venue'), field('starts_at', 'new.starts', {type: 'datetime-local', required: true}),
      field('currency', 'new.currency', {value: 'eur', maxlength: 3}), field('max_per_customer', 'new.limit', {inputmode: 'numeric'}),
      field('sale_starts_at', 'new.sale-starts', {type: 'datetime-local'}), field('sale_ends_at', 'new.sale-ends', {type: 'datetime-local'})),
    field('description', 'new.description')),
    h('fieldset', {}, h('legend', {}, t('new.places')), h('div', {role: 'radiogroup', 'aria-label': t('new.kind')}, way('rows'), way('simple'), way('chart')),
      ways.rows, ways.simple, ways.chart),
    faults, h('div', {class: 'row'}, button(page, t('new.preview'), withForm(preview)), button(page, t('new.create'), withForm(create), 'main')), seen);
  choose(kind);
});

function field(name, words, props = {}) {
  const id = `field-${name}`;
  labels[name] = t(words);
  fields[name] = h('input', {id, autocomplete: 'off', ...props});
  return h('div', {class: 'field'}, h('label', {for: id}, t(words)), fields[name]);
}
