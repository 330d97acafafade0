// @ts-check
/** Calls of the API: signed in when somebody is, repeated safely when no answer came. */

import {Session} from './session.js';

/** How often a call that got no answer is made, and how long we wait in between. */
const TRIES = 4;
const PAUSE_MS = 400;

/** A refusal, in the service's own words: `code` is one of a closed set, `more` has what belongs to it. */
class Problem extends Error {
  constructor(/** @type {any} */ body, /** @type {number} */ status) {
    super(body?.detail ?? body?.title ?? `The answer was ${status}`);
    this.code = /** @type {string} */ (body?.code ?? 'unavailable');
    this.status = status;
    this.more = body ?? {};
  }
}

/** No answer at all: we do not know what became of the call. */
class Unreachable extends Error {
  code = 'unreachable';
  status = 0;
  more = {};
}

export class Api {
  /** @param {string} base the service's address; empty for the one that this page came from */
  constructor(base = '', session = new Session(base)) {
    this.base = base.replace(/\/$/, '');
    this.session = session;
  }

  get(/** @type {string} */ path, options = {}) { return this.#call('GET', path, undefined, options); }
  post(/** @type {string} */ path, body = {}, options = {}) { return this.#call('POST', path, body, options); }
  patch(/** @type {string} */ path, /** @type {object} */ body) { return this.#call('PATCH', path, body, {}); }
  delete(/** @type {string} */ path) { return this.#call('DELETE', path, undefined, {}); }

  /** Signs in or registers; afterwards every call is made as this person. */
  async enter(/** @type {'login' | 'register'} */ door, /** @type {object} */ who) {
    const answer = await this.#call('POST', `/v1/auth/${door}`, who, {open: true});
    this.session.begin(answer);
    return answer.account;
  }

  /**
   * One call. Its repeats carry the same key, so that they are one call to the service, too.
   * @param {{open?: boolean, text?: boolean, signal?: AbortSignal}} options
   *   open: without a token; text: the answer is not JSON
   */
  async #call(method, path, body, {open = false, text = false, signal}) {
    const headers = {accept: text ? '*/*' : 'application/json'};
    if (method !== 'GET') headers['idempotency-key'] = crypto.randomUUID();
    if (body !== undefined) headers['content-type'] = 'application/json';
    let renewed = false;
    for (let tries = 1; ; tries += 1) {
      let token = null;
      let answer;
      try {
        token = open ? null : await this.session.token();
        if (token) headers.authorization = `Bearer ${token}`;
        else delete headers.authorization;
        answer = await fetch(this.base + path, {method, headers, signal, body: body && JSON.stringify(body)});
      } catch (fault) {
        if (signal?.aborted) throw fault;
        if (tries === TRIES) throw new Unreachable('No answer');
        await pause(PAUSE_MS * 2 ** tries);
        continue;
      }
      if (answer.ok) return answer.status === 204 ? null : text ? answer.text() : answer.json();
      const problem = new Problem(await answer.json().catch(() => null), answer.status);
      if (problem.code === 'not_authenticated' && token && !renewed) {
        renewed = true;
        await this.session.renew(token).catch(() => {});
        continue;
      }
      const again = answer.status === 503 || problem.code === 'still_running';
      if (!again || tries === TRIES) throw problem;
      await pause(Math.max(PAUSE_MS, Number(answer.headers.get('retry-after') ?? 0) * 1000));
    }
  }
}

const pause = (/** @type {number} */ ms) => new Promise((done) => { setTimeout(done, ms); });
