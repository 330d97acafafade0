// @ts-check
/** What a page remembers over a reload: a choice that is not held yet, a hold, a place in a waiting room. */

/** @typedef {{seats: string[], areas: Record<string, number>}} Named */

function read(store, key) {
  try {
    return JSON.parse(store.getItem(key) ?? 'null');
  } catch {
    return null;
  }
}

/** This tab's choice of an event. */
export const choiceOf = (/** @type {string} */ event) => ({
  get: () => /** @type {Named | null} */ (read(sessionStorage, `holdfast.choice.${event}`)),
  set: (/** @type {Named} */ choice) => sessionStorage.setItem(`holdfast.choice.${event}`, JSON.stringify(choice)),
});

const HOLD = 'holdfast.hold.';
const PLACE = 'holdfast.place.';
const ADMISSION = 'holdfast.admission.';

/** Whoever leaves takes nothing of theirs to the next person at this browser. */
export function forgetHolds() {
  for (const key of Object.keys(localStorage)) {
    if ([HOLD, PLACE, ADMISSION].some((kind) => key.startsWith(kind))) localStorage.removeItem(key);
  }
}

/** One text of an event, in whatever tab it was learned. @param {string} kind */
const textOf = (kind) => (/** @type {string} */ event) => ({
  get: () => /** @type {string | null} */ (read(localStorage, kind + event)),
  set: (/** @type {string | null} */ text) => {
    if (text) localStorage.setItem(kind + event, JSON.stringify(text));
    else localStorage.removeItem(kind + event);
  },
});

/** The place that this person has in the waiting room of an event, signed by the service. */
export const placeOf = textOf(PLACE);

/** What lets this person take seats of an event with a waiting room. */
export const admissionOf = textOf(ADMISSION);

/** The event at which this was a hold; a hold that is over does not say so any more. @returns {string | null} */
export function eventOfHold(/** @type {string} */ hold) {
  const key = Object.keys(localStorage).find((one) => one.startsWith(HOLD) && read(localStorage, one) === hold);
  return key?.slice(HOLD.length) ?? null;
}

/** The hold that this person has at an event, in whatever tab it was made. */
export const holdOf = textOf(HOLD);
