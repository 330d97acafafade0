// @ts-check
/** Changing what an event says of itself and the rules of its sale; while it is a draft, its places too. */

import {fill, h} from '../dom.js';
import {EventForm} from '../parts/event-form.js';
import {button} from '../parts/frame.js';
import {openSale, saleHead} from '../parts/sale.js';
import {t} from '../text.js';

/** @type {import('../parts/sale.js').Work} */
async function edit(page, event) {
  const form = new EventForm(event);
  const head = h('div', {}, saleHead(event, t('sale.edit')));
  const faults = h('div', {role: 'alert'});
  const says = h('p', {role: 'status'});
  const path = `/v1/admin/events/${event.id}`;

  /** Answers the event as it is now; null when nothing was to be done. */
  async function send() {
    if (form.places && !form.places.areKept) {
      const {event: whole, missing} = form.read();
      fill(faults, form.tell(missing));
      if (missing.length > 0) return null;
      // The form is all there is of a draft: what has no field here is handed on.
      return page.api.put(path, {...event.hold_seconds !== null && {hold_seconds: event.hold_seconds}, ...whole});
    }
    const changes = form.facts.changes();
    if (Object.keys(changes).length > 0) return page.api.patch(path, changes);
    says.textContent = t('edit.nothing');
    return null;
  }
  const save = button(page, t('edit.save'), async () => {
    fill(faults, form.tell([]));
    says.textContent = '';
    try {
      const now = await send();
      if (!now) return;
      if (now.status === 'draft') {
        location.assign(`/organise/${event.id}`);
        return;
      }
      form.facts.show(now);
      fill(head, saleHead(now, t('sale.edit')));
      says.textContent = t('edit.saved');
    } catch (problem) {
      if (!problem.more?.errors) throw problem;
      fill(faults, form.tell(problem.more.errors));
    }
  }, 'main');
  page.show(head, form.element, faults, h('div', {class: 'row'}, save, h('a', {class: 'button', href: `/organise/${event.id}`}, t('edit.leave'))), says);
}

openSale(t('sale.edit'), edit, edit);
