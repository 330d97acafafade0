// @ts-check
/** What a door has seen and not told yet, and what it has seen at all: kept in the browser, so that a reload loses nothing. */

/** @typedef {{key: string, code: string, at: string}} Scan one scan; its key makes sending it twice the same as once */

/** So many tickets a door remembers to have seen. */
const REMEMBERED = 5000;

/** A door's memory for one event. */
export class Scans {
  #waiting;
  #seen;

  constructor(/** @type {string} */ event) {
    this.#waiting = `holdfast.scans.${event}`;
    this.#seen = `holdfast.seen.${event}`;
  }

  /** Oldest first. @returns {Scan[]} */
  get waiting() { return read(this.#waiting) ?? []; }

  wait(/** @type {Scan} */ scan) { write(this.#waiting, [...this.waiting, scan]); }

  answered(/** @type {Scan} */ scan) { write(this.#waiting, this.waiting.filter(({key}) => key !== scan.key)); }

  /** When a ticket was let in at this door; undefined when it was not. @returns {string | undefined} */
  seen(/** @type {string} */ ticket) { return read(this.#seen)?.[ticket]; }

  note(/** @type {string} */ ticket, /** @type {string} */ at) {
    const seen = Object.entries({...read(this.#seen), [ticket]: at});
    write(this.#seen, Object.fromEntries(seen.slice(-REMEMBERED)));
  }
}

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? 'null');
  } catch {
    return null;
  }
}

const write = (key, value) => localStorage.setItem(key, JSON.stringify(value));
