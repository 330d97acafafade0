// @ts-check
/** The time that is left until the service's deadline, by the service's clock, seen and now and then said. */

import {h} from '../dom.js';
import {left} from '../format.js';
import {t} from '../text.js';

/** When it is said aloud, in seconds before the end. */
const SAID = [600, 300, 120, 60, 30, 10];

/**
 * @param {{deadline: string, serverTime: string, say: (words: string) => void, over: () => void}} options
 */
export function countdown({deadline, serverTime, say, over}) {
  // Only the difference of the service's two moments counts: this machine's clock may be wrong, but it runs.
  const ends = performance.now() + (Date.parse(deadline) - Date.parse(serverTime));
  const number = h('strong', {class: 'clock'});
  const element = h('p', {class: 'countdown', role: 'timer', 'aria-live': 'off'}, number);
  let told = Infinity;
  let timer = 0;

  function tick() {
    const rest = ends - performance.now();
    number.textContent = t('countdown.left', {time: left(rest)});
    element.classList.toggle('soon', rest < 60_000);
    const due = SAID.find((seconds) => rest <= seconds * 1000 && seconds < told && rest > (seconds - 5) * 1000);
    if (due) {
      told = due;
      say(due >= 60 ? t('countdown.minutes', {n: due / 60}) : t('countdown.seconds', {n: due}));
    }
    if (rest <= 0) {
      stop();
      say(t('countdown.over'));
      over();
    }
  }
  function stop() { clearInterval(timer); }

  timer = setInterval(tick, 250);
  tick();
  return {element, stop};
}
