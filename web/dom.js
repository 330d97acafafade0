// @ts-check
/** Making elements, and saying things to people who listen instead of looking. */

/**
 * Makes an element. A property that is a function is a listener; `class` and `for` are what they are in HTML;
 * `false`, `null` and `undefined` leave an attribute out; the rest are attributes. Text is always text.
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...any} children
 * @returns {any}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (name === 'data') Object.assign(element.dataset, value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  element.append(...children.flat(2).filter((child) => child != null && child !== false));
  return element;
}

/** The same for drawings. @returns {any} */
export function svg(tag, props = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(props)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** Replaces what is in an element. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(2).filter((child) => child != null && child !== false));
}

/**
 * Something that speaks: what `say` is given is read out, the same words twice in a row as well.
 * @param {'polite' | 'assertive'} manner
 */
export function speaker(manner = 'polite') {
  const element = h('p', {class: 'unseen', 'aria-live': manner, role: manner === 'polite' ? 'status' : 'alert'});
  let last = 0;
  return {
    element,
    say(/** @type {string} */ words) {
      cancelAnimationFrame(last);
      element.textContent = '';
      last = requestAnimationFrame(() => { element.textContent = words; });
    },
  };
}

let numbers = 0;
/** An id that nothing else on the page has. */
export function freshId(/** @type {string} */ name) {
  numbers += 1;
  return `${name}-${numbers}`;
}
