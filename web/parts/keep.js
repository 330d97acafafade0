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

/** The hold that this person has at an event, in whatever tab it was made. */
export const holdOf = (/** @type {string} */ event) => ({
  get: () => /** @type {string | null} */ (read(localStorage, `holdfast.hold.${event}`)),
  set: (/** @type {string | null} */ hold) => {
    if (hold) localStorage.setItem(`holdfast.hold.${event}`, JSON.stringify(hold));
    else localStorage.removeItem(`holdfast.hold.${event}`);
  },
});
