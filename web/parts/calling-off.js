// @ts-check
/** How far the calling off of a cancelled event is: nobody has to ask whether the money is back. */

import {freshId, h} from '../dom.js';
import {count} from '../format.js';
import {t} from '../text.js';

export class CallingOff {
  #says = h('p', {role: 'status'});
  #bar;
  /** Whether something is still to be done. */
  isUnderWay = false;

  constructor() {
    const id = freshId('calling-off');
    this.#bar = h('progress', {'aria-labelledby': id, max: 1, value: 0});
    this.element = h('section', {class: 'panel', hidden: true, 'aria-labelledby': id},
      h('h2', {id}, t('calling-off.title')), this.#bar, this.#says);
  }

  /** @param {{to_call_off: number, refunding: number, refunded: number} | null} now null unless the event is cancelled */
  show(now) {
    this.element.hidden = !now;
    if (!now) return;
    const {to_call_off: toCallOff, refunding, refunded} = now;
    const all = toCallOff + refunding + refunded;
    this.isUnderWay = toCallOff + refunding > 0;
    // Nothing to give back is as good as all given back.
    this.#bar.max = Math.max(1, all);
    this.#bar.value = all === 0 ? 1 : refunded;
    const words = !this.isUnderWay ? t(all === 0 ? 'calling-off.nothing' : 'calling-off.done', {n: all, count: count(all)})
      : [t('calling-off.back', {n: all, back: count(refunded), count: count(all)}),
        toCallOff > 0 && t('calling-off.left', {n: toCallOff, count: count(toCallOff)})].filter(Boolean).join(' ');
    // Said when it is something else, and not every second.
    if (this.#says.textContent !== words) this.#says.textContent = words;
  }
}
