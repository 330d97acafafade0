// @ts-check
/** A new event: from a few fields, or from a chart that exists; seen before it is opened, or kept as a draft. */

import {fill, h} from '../dom.js';
import {EventForm} from '../parts/event-form.js';
import {button, fillPage, openPage} from '../parts/frame.js';
import {showPlaces} from '../parts/places-preview.js';
import {needOrganiser} from '../parts/sale.js';
import {t} from '../text.js';

const page = openPage(t('new.title'));

fillPage(page, async () => {
  if (!await needOrganiser(page, t('new.title'))) return;
  const form = new EventForm();
  const faults = h('div', {role: 'alert'});
  const seen = h('div', {});

  /** Looks at everything before anything is said, so that all faults are told at once. Answers what can be opened. */
  async function look() {
    fill(faults);
    fill(seen);
    let missing = [];
    try {
      const read = form.read();
      missing = read.missing;
      const drawing = await page.api.post('/v1/admin/charts/preview', EventForm.sometime(read.event));
      fill(faults, form.tell(missing));
      return {drawing, event: missing.length > 0 ? null : read.event};
    } catch (problem) {
      const named = problem.more?.errors;
      if (!named) throw problem;
      fill(faults, form.tell([...missing, ...named]));
      return null;
    }
  }
  async function make(/** @type {object} */ how) {
    const looked = await look();
    if (!looked?.event) return;
    const event = await page.api.post('/v1/admin/events', {...looked.event, ...how});
    location.assign(`/organise/${event.id}`);
  }

  const preview = button(page, t('new.preview'), async () => {
    const looked = await look();
    if (looked) showPlaces(seen, looked.drawing).scrollIntoView({block: 'nearest'});
  });
  const draft = button(page, t('new.draft'), () => make({draft: true}));
  const create = button(page, t('new.create'), () => make({}), 'main');
  page.show(h('h1', {}, t('new.title')), form.element, faults, h('div', {class: 'row'}, preview, draft, create), seen);
});
