// @ts-check
/** Taking the money: on the sandbox's own page, or in Stripe's form on ours. */

import {fill, h} from '../dom.js';
import {money} from '../format.js';
import {t} from '../text.js';

/** Where Stripe has its script, and wants it loaded from. */
const STRIPE = 'https://js.stripe.com/v3/';

/** Where the customer comes back to. */
const returnUrl = (order) => new URL(`/orders/${order.id}`, location.href).href;

/** The page where an order can be paid by hand, if there is one. @returns {string | null} */
export function payPage(/** @type {any} */ order) {
  const url = order.payment?.pay_url;
  return url ? `${url}${url.includes('?') ? '&' : '?'}return_url=${encodeURIComponent(returnUrl(order))}` : null;
}

/** Stripe's form for an order, on this page. */
export function stripeForm(/** @type {any} */ order) {
  const element = h('div', {class: 'stripe'}, h('p', {class: 'quiet', role: 'status'}, t('pay.loading')));
  mount(element, order).catch((fault) => {
    console.warn(fault);
    fill(element, h('p', {class: 'notice bad', role: 'alert'}, t('pay.unavailable')));
  });
  return element;
}

async function mount(/** @type {HTMLElement} */ element, /** @type {any} */ order) {
  const {client_secret: clientSecret, publishable_key: key} = order.payment;
  const stripe = (await loadStripe())(key);
  const elements = stripe.elements({clientSecret});
  const place = h('div', {});
  const fault = h('p', {class: 'fault', role: 'alert'});
  const submit = h('button', {class: 'main'}, t('pay.submit', {amount: money(order.amount, order.currency)}));
  fill(element, h('form', {submit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (submit.getAttribute('aria-busy') === 'true') return;
    submit.setAttribute('aria-busy', 'true');
    fault.textContent = '';
    // Comes back only when something is wrong: else the browser is on its way to the return page.
    const {error} = await stripe.confirmPayment({elements, clientSecret, confirmParams: {return_url: returnUrl(order)}});
    fault.textContent = error?.message ?? '';
    submit.removeAttribute('aria-busy');
  }}, place, fault, submit));
  elements.create('payment').mount(place);
}

function loadStripe() {
  return new Promise((done, fail) => {
    if ('Stripe' in window) {
      done(window.Stripe);
      return;
    }
    document.head.append(h('script', {src: STRIPE, load: () => done(/** @type {any} */ (window).Stripe),
      error: () => fail(new Error(`${STRIPE} cannot be loaded`))}));
  });
}
