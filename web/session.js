// @ts-check
/**
 * Who is signed in, in every tab of this browser.
 *
 * A refresh token works once; using it twice ends the session, because a thief would do that. So one tab at a time
 * renews, and looks first whether another one just did; and each token is used under a key of its own, so that a renewal
 * whose answer was lost can be asked for again.
 */

const KEY = 'holdfast.session';
/** Renewed when it would end within this time, so that no call leaves with a token that dies on its way. */
const EARLY_MS = 30_000;

/** @typedef {{id: string, name: string, email: string, role: string}} Account */
/** @typedef {{account: Account, access: string, refresh: string, ends: number, renewal?: string}} Tokens */

export class Session extends EventTarget {
  #base;
  /** Calls without a token: {@link Api} would ask us for one. */
  #post = (path, body, key = crypto.randomUUID()) => fetch(this.#base + path, {
    method: 'POST', body: JSON.stringify(body),
    headers: {'content-type': 'application/json', 'idempotency-key': key},
  });

  constructor(base = '') {
    super();
    this.#base = base;
    addEventListener('storage', (event) => { if (event.key === KEY) this.#changed(); });
  }

  /** @returns {Account | null} */
  get account() { return this.#tokens?.account ?? null; }

  get #tokens() {
    try {
      return /** @type {Tokens | null} */ (JSON.parse(localStorage.getItem(KEY) ?? 'null'));
    } catch {
      return null;
    }
  }

  /** A token that is good for a call now; null when nobody is signed in. @returns {Promise<string | null>} */
  async token() {
    const tokens = this.#tokens;
    if (!tokens || tokens.ends - Date.now() > EARLY_MS) return tokens?.access ?? null;
    return this.renew(tokens.access);
  }

  /** Renews a token that was refused or is about to end, unless that has been done. @returns {Promise<string | null>} */
  async renew(/** @type {string} */ old) {
    return navigator.locks.request(KEY, async () => {
      const tokens = this.#tokens;
      if (!tokens || tokens.access !== old) return tokens?.access ?? null;
      const answer = await this.#post('/v1/auth/refresh', {refresh_token: tokens.refresh}, tokens.renewal);
      if (answer.status === 401) this.#keep(null);
      // Anything else is an outage: the token may still be good, and is not thrown away.
      if (!answer.ok) return null;
      return this.#keep(await answer.json());
    });
  }

  /** Takes what sign-in or registration answered. */
  begin(/** @type {any} */ answer) { this.#keep(answer); }

  async end() {
    const refresh = this.#tokens?.refresh;
    this.#keep(null);
    if (refresh) await this.#post('/v1/auth/logout', {refresh_token: refresh}).catch(() => {});
  }

  #keep(/** @type {any} */ answer) {
    if (answer) {
      const ends = Date.now() + answer.expires_in * 1000;
      const tokens = {
        account: answer.account, access: answer.access_token, refresh: answer.refresh_token, ends,
        renewal: crypto.randomUUID(),
      };
      localStorage.setItem(KEY, JSON.stringify(tokens));
    } else {
      localStorage.removeItem(KEY);
    }
    this.#changed();
    return answer?.access_token ?? null;
  }

  #changed() { this.dispatchEvent(new Event('change')); }
}
