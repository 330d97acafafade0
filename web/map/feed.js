// @ts-check
/**
 * Keeps a picture like the service's own: a snapshot, then every change, and after a lost connection what was
 * missed. Where streams do not get through, it asks every few seconds instead.
 *
 * Sends `state` with `detail`: `live`, `polling` or `offline`.
 */

/** Streams that fail so often in a row are taken for blocked. */
const FAILURES = 3;
const POLL_MS = 4000;
/** How long a lost stream waits before it tries again, at least and at most. */
const [SOON_MS, LATE_MS] = [500, 15_000];
/** A stream that says nothing for so long is dead: the service speaks every fifteen seconds. */
const SILENCE_MS = 40_000;
/** A stream that has not begun by then never will. */
const CONNECT_MS = 8000;
/** A page that nobody looks at gives its connection back after this. */
const HIDDEN_MS = 60_000;

export class Feed extends EventTarget {
  #base;
  #picture;
  /** @type {EventSource | null} */ #stream = null;
  #etag = '';
  /** @type {Promise<Response> | undefined} */ #first;
  #failures = 0;
  /** @type {Record<string, any>} */ #timers = {};
  #ends = new AbortController();
  state = 'offline';

  /**
   * @param {string} base the event's address @param {import('./picture.js').Picture} picture
   * @param {Promise<Response>} [first] the snapshot, when it has been asked for already
   */
  constructor(base, picture, first) {
    super();
    this.#base = base;
    this.#picture = picture;
    this.#first = first;
  }

  /** Asks for a snapshot before there is a picture to keep, so that it comes while the chart still does. */
  static ahead(/** @type {string} */ base) {
    const answer = fetch(`${base}/availability`, {headers: {accept: 'application/json'}, cache: 'no-store'});
    // Whoever waits for it hears of it; until then it is nobody's fault.
    answer.catch(() => {});
    return answer;
  }

  /** Gets the first snapshot and goes on from there. */
  async start() {
    const {signal} = this.#ends;
    addEventListener('online', () => this.#soon(0), {signal});
    addEventListener('offline', () => this.#lost(), {signal});
    document.addEventListener('visibilitychange', () => this.#lookedAt(), {signal});
    await this.#ask();
    if (!signal.aborted) this.#listen();
  }

  stop() {
    this.#ends.abort();
    this.#close();
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
  }

  #listen() {
    this.#close();
    const after = this.#picture.version;
    const stream = new EventSource(`${this.#base}/live${after ? `?last_event_id=${encodeURIComponent(after)}` : ''}`);
    this.#stream = stream;
    const heard = (apply) => (/** @type {MessageEvent} */ message) => {
      this.#quiet(SILENCE_MS);
      apply.call(this.#picture, JSON.parse(message.data));
    };
    stream.addEventListener('open', () => {
      this.#failures = 0;
      clearTimeout(this.#timers.poll);
      this.#quiet(SILENCE_MS);
      this.#say('live');
    });
    stream.addEventListener('snapshot', heard(this.#picture.reset));
    stream.addEventListener('change', heard(this.#picture.apply));
    stream.addEventListener('here', () => this.#quiet(SILENCE_MS));
    stream.addEventListener('error', () => this.#lost());
    this.#quiet(CONNECT_MS);
  }

  /** Gives a stream up that says nothing for so long. */
  #quiet(/** @type {number} */ ms) {
    clearTimeout(this.#timers.silence);
    this.#timers.silence = setTimeout(() => this.#lost(), ms);
  }

  #lost() {
    this.#close();
    this.#failures += 1;
    if (this.state === 'live') this.#say('offline');
    if (this.#failures >= FAILURES) this.#poll();
    this.#soon(Math.min(LATE_MS, SOON_MS * 2 ** this.#failures) * (0.5 + Math.random() / 2));
  }

  #soon(/** @type {number} */ ms) {
    clearTimeout(this.#timers.again);
    this.#timers.again = setTimeout(() => { if (!document.hidden) this.#listen(); }, ms);
  }

  #poll() {
    clearTimeout(this.#timers.poll);
    this.#timers.poll = setTimeout(async () => {
      if (!document.hidden) await this.#ask();
      if (this.state !== 'live' && !this.#ends.signal.aborted) this.#poll();
    }, POLL_MS);
  }

  /** Asks for everything, unless it is what we have. */
  async #ask() {
    try {
      const headers = {accept: 'application/json', ...this.#etag && {'if-none-match': this.#etag}};
      const asked = this.#first ?? fetch(`${this.#base}/availability`, {headers, cache: 'no-store', signal: this.#ends.signal});
      this.#first = undefined;
      const answer = await asked;
      if (answer.status !== 304 && !answer.ok) throw new Error(`the answer was ${answer.status}`);
      if (answer.ok) {
        this.#etag = answer.headers.get('etag') ?? '';
        this.#picture.reset(await answer.json());
      }
      if (this.state !== 'live') this.#say('polling');
    } catch {
      if (!this.#ends.signal.aborted) this.#say('offline');
    }
  }

  #lookedAt() {
    clearTimeout(this.#timers.hidden);
    if (document.hidden) this.#timers.hidden = setTimeout(() => this.#close(), HIDDEN_MS);
    else if (!this.#stream) this.#soon(0);
  }

  #close() {
    clearTimeout(this.#timers.silence);
    this.#stream?.close();
    this.#stream = null;
  }

  #say(/** @type {string} */ state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent('state', {detail: state}));
  }
}
