// @ts-check
/** Lists the events that can be visited, soonest first, a page at a time. */

/** @typedef {{id: string, title: string, venue?: string, starts_at: string, status: string}} Event */
/** @typedef {{items: Event[], next: string | null}} Page */

const WORDS = {
  scheduled: 'Sale opens soon',
  on_sale: 'On sale',
  sold_out: 'Sold out',
  closed: 'Sale closed',
  cancelled: 'Cancelled',
};

const PAGE = 12;
const list = /** @type {HTMLElement} */ (document.getElementById('list'));
const notice = /** @type {HTMLElement} */ (document.getElementById('notice'));
const more = /** @type {HTMLButtonElement} */ (document.getElementById('more'));
const template = /** @type {HTMLTemplateElement} */ (document.getElementById('card'));
const when = new Intl.DateTimeFormat(undefined, {dateStyle: 'full', timeStyle: 'short'});
const number = new Intl.NumberFormat();

/** Where the next page starts; null when this was the last. @type {string | null} */
let next = null;

/** @param {string} path @returns {Promise<any>} */
async function ask(path) {
  const answer = await fetch(path, {headers: {accept: 'application/json'}});
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer.json();
}

async function showNextPage() {
  more.disabled = true;
  const query = new URLSearchParams({limit: String(PAGE)});
  if (next) query.set('cursor', next);
  try {
    const page = /** @type {Page} */ (await ask(`/v1/events?${query}`));
    const first = page.items.map(show)[0];
    // Whoever asked for more by keyboard goes on reading where the new ones start.
    if (next) first?.focus();
    next = page.next;
    more.hidden = !next;
    notice.textContent = list.children.length ? '' : 'No events yet. An organiser can open one through the API.';
  } catch (fault) {
    console.error(fault);
    notice.textContent = 'The events cannot be shown right now. Please try again in a moment.';
    more.textContent = 'Try again';
    more.hidden = false;
  }
  more.disabled = false;
}

/** @param {Event} event @returns {HTMLElement} */
function show(event) {
  const card = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
  const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (card.querySelector(name));
  const time = /** @type {HTMLTimeElement} */ (part('time'));
  time.dateTime = event.starts_at;
  time.textContent = when.format(new Date(event.starts_at));
  part('.title').textContent = event.title;
  part('.venue').textContent = event.venue ?? '';
  part('.badge').textContent = WORDS[event.status] ?? event.status;
  part('.badge').dataset.status = event.status;
  card.tabIndex = -1;
  list.append(card);
  countSeats(event, part('.seats'));
  return card;
}

/** Adds how many seats are left; a card without the number is still a good card. */
async function countSeats(/** @type {Event} */ event, /** @type {HTMLElement} */ place) {
  if (event.status !== 'on_sale') return;
  try {
    const {available, total} = await ask(`/v1/events/${event.id}/status`);
    place.textContent = `${number.format(available)} of ${number.format(total)} seats free`;
  } catch (fault) {
    console.warn(fault);
  }
}

more.addEventListener('click', () => {
  more.textContent = 'Show more';
  showNextPage();
});
showNextPage();
