// @ts-check
/** Labelled fields of a form, by the names that the service has for them, each with what is wrong with it. */

import {freshId, h} from '../dom.js';
import {Faults} from './faults.js';

export class Fields {
  /** @type {Map<string, {label: string, input: any, fault: any, first: string | boolean}>} */ #all = new Map();

  /** A field for text, or for what its properties say; answers the element that holds it with its label. */
  text(/** @type {string} */ name, /** @type {string} */ label, /** @type {Record<string, any>} */ props = {}) {
    return this.#put(name, label, h('input', {autocomplete: 'off', ...props}));
  }

  /** A field with few answers. @param {string} name @param {string} label @param {[string, string][]} options values with their words */
  select(name, label, options) {
    return this.#put(name, label, h('select', {}, options.map(([value, words]) => h('option', {value}, words))));
  }

  /** A yes or no. */
  tick(/** @type {string} */ name, /** @type {string} */ label, isOn = false) {
    return this.#put(name, label, h('input', {type: 'checkbox', checked: isOn}));
  }

  #put(name, label, input) {
    const [id, told] = [freshId(name), freshId('fault')];
    const fault = h('small', {class: 'fault', id: told});
    input.id = id;
    input.setAttribute('aria-describedby', told);
    this.#all.set(name, {label, input, fault, first: ''});
    this.#remember(name);
    const words = h('label', {for: id}, label);
    return input.type === 'checkbox' ? h('div', {class: 'choice'}, input, words, fault) : h('div', {class: 'field'}, words, input, fault);
  }

  #of(name) {
    const field = this.#all.get(name);
    if (!field) throw new Error(`no field ${name}`);
    return field;
  }

  #remember(name) { this.#of(name).first = this.value(name); }

  /** What is in a field, without blanks around it. @returns {any} */
  value(/** @type {string} */ name) {
    const {input} = this.#of(name);
    return input.type === 'checkbox' ? input.checked : input.value.trim();
  }

  /** Fills a field with what is known: from here on it counts as unchanged. */
  set(/** @type {string} */ name, /** @type {string | boolean} */ value) {
    const {input} = this.#of(name);
    if (typeof value === 'boolean') input.checked = value;
    else input.value = value;
    this.#remember(name);
  }

  isChanged(/** @type {string} */ name) { return this.value(name) !== this.#of(name).first; }

  /** What people call a field; undefined for one of somebody else's. */
  label(/** @type {string} */ name) { return this.#all.get(name)?.label; }

  /** Tells each fault at its field, and takes away what was told before. Answers with those that have no field here. */
  tell(/** @type {{field: string, message: string}[]} */ faults) {
    for (const [name, {input, fault}] of this.#all) {
      const own = faults.filter(({field}) => field === name).map(({message}) => message);
      fault.textContent = own.join('; ');
      if (own.length > 0) input.setAttribute('aria-invalid', 'true');
      else input.removeAttribute('aria-invalid');
    }
    return faults.filter(({field}) => !this.#all.has(field));
  }

  /** Brings the keyboard to the first field with a fault. */
  goToFault() { [...this.#all.values()].find(({input}) => input.hasAttribute('aria-invalid'))?.input.focus(); }

  /**
   * Does what the fields ask for. Answers whether it was done: when all that is wrong is told at the fields, it was not,
   * and nothing is thrown.
   */
  async enter(/** @type {() => Promise<any>} */ act) {
    this.tell([]);
    try {
      await act();
      return true;
    } catch (problem) {
      if (!problem.more?.errors) throw problem;
      const rest = this.tell(problem.more.errors);
      if (rest.length > 0) throw new Faults(rest);
      this.goToFault();
      return false;
    }
  }
}
