// @ts-check
/** Reading a ticket's code alone: its signature says whether it is ours. How it is written, `docs/tickets.md` says. */

/** Crockford's base 32. */
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const SHAPE = /^HF1\.([0-9A-HJKMNP-TV-Z]{48})\.([0-9A-HJKMNP-TV-Z]{103})$/;
/** The first letters of a payload name the key. */
const KEY_NAME = 8;

/** What was scanned or typed, as codes are written. */
export const tidy = (/** @type {string} */ text) => text.toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1');

/** The end of a code in groups, for somebody to type. */
export const typed = (/** @type {string} */ code) => code.slice(-12).replace(/.{4}(?=.)/g, '$& ');

function bytes(/** @type {string} */ text) {
  const found = new Uint8Array(Math.floor(text.length * 5 / 8));
  let [buffer, bits, at] = [0, 0, 0];
  for (const letter of text) {
    buffer = buffer << 5 | LETTERS.indexOf(letter);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    found[at] = buffer >> bits;
    at += 1;
    buffer &= (1 << bits) - 1;
  }
  return found;
}

/** @typedef {{event: number, ticket: string}} Claim */
/** @typedef {{verdict: 'genuine', claim: Claim} | {verdict: 'forged' | 'unsure', claim?: undefined}} Judgement */

/** The keys that tickets are signed with, as this page has heard of them. */
export class Keys {
  /** @type {Map<string, CryptoKey>} */
  #known = new Map();
  #api;

  constructor(/** @type {import('../api.js').Api} */ api) { this.#api = api; }

  /** Fetches the keys; says whether it could, and whether this browser can use them. */
  async learn() {
    try {
      const {keys} = await this.#api.get('/v1/tickets/keys', {open: true, tries: 1, patience: 3000});
      for (const {kid, kty, crv, x} of keys) {
        this.#known.set(kid, await crypto.subtle.importKey('jwk', {kty, crv, x}, {name: 'Ed25519'}, false, ['verify']));
      }
      return true;
    } catch {
      // No connection, or a browser without this kind of signature: then only the service can tell.
      return false;
    }
  }

  /** Whose a tidy code is: ours, nobody's, or not to be told without the service. @returns {Promise<Judgement>} */
  async judge(/** @type {string} */ code) {
    const [, payload, signature] = SHAPE.exec(code) ?? [];
    // Older codes and typed ends carry no signature; what begins like a signed one and is none was misread.
    if (!payload) return {verdict: code.startsWith('HF1') ? 'forged' : 'unsure'};
    const name = payload.slice(0, KEY_NAME);
    if (!this.#known.has(name) && !await this.learn()) return {verdict: 'unsure'};
    const key = this.#known.get(name);
    if (!key) return {verdict: 'forged'};
    const signed = new TextEncoder().encode(code.slice(0, code.lastIndexOf('.')));
    if (!await crypto.subtle.verify('Ed25519', key, bytes(signature), signed)) return {verdict: 'forged'};
    const content = bytes(payload);
    const id = [...content.slice(14)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    const ticket = id.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    return {verdict: 'genuine', claim: {event: new DataView(content.buffer).getInt32(5), ticket}};
  }
}
