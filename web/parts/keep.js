// @ts-check
/** What a page remembers over a reload: the choice that is not held yet, and the hold of an event. */

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

/** Whoever leaves takes nothing of theirs to the next person at this browser. */
export function forgetHolds() {
  for (const key of Object.keys(localStorage)) if (key.startsWith(HOLD)) localStorage.removeItem(key);
}

/** The event at which this was a hold; a hold that is over does not say so any more. @returns {string | null} */
export function eventOfHold(/** @type {string} */ hold) {
  const key = Object.keys(localStorage).find((one) => one.startsWith(HOLD) && read(localStorage, one) === hold);
  return key?.slice(HOLD.length) ?? null;
}

/** The hold that this person has at an event, in whatever tab it was made. */
export const holdOf = (/** @type {string} */ event) => ({
  get: () => /** @type {string | null} */ (read(localStorage, HOLD + event)),
  set: (/** @type {string | null} */ hold) => {
    if (hold) localStorage.setItem(HOLD + event, JSON.stringify(hold));
    else localStorage.removeItem(HOLD + event);
  },
});
