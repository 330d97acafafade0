// @ts-check
/**
 * How seats look. Every state has a shape of its own, so that nobody needs colours to tell them apart:
 *
 * free ● · accessible ■ with a mark · held ○ · sold × · blocked – · chosen ● with a tick and a ring
 */

const FULL = Math.PI * 2;
/** Below this many pixels a seat is a dot: nobody sees more. */
const DOT = 4.5;
/** From this size on its name is written in it. */
const NAMED = 19;

/** The colours of the page around the map, as canvas wants them. */
export class Look {
  constructor(/** @type {Element} */ host) {
    const style = getComputedStyle(host);
    const colour = (name) => style.getPropertyValue(name).trim();
    this.categories = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => colour(`--map-category-${number}`));
    this.paper = colour('--map-paper');
    this.ink = colour('--map-ink');
    this.soft = colour('--map-soft');
    this.part = colour('--map-part');
    this.line = colour('--map-line');
    this.accent = colour('--map-accent');
    this.onAccent = colour('--map-on-accent');
    this.alarm = colour('--map-alarm');
    this.font = style.fontFamily;
  }
}

/** Seats of one size, each way of looking painted once and then only copied. */
export class Sprites {
  /** @type {Map<number, HTMLCanvasElement>} */ #made = new Map();

  /** @param {Look} look @param {number} size of a seat, in pixels of the screen @param {number} density of the screen */
  constructor(look, size, density) {
    this.look = look;
    this.size = size;
    this.density = density;
    this.isDot = size < DOT;
    this.isNamed = size >= NAMED;
    this.pixels = Math.max(2, Math.ceil((size + 2) * density));
  }

  /** @param {number} state @param {number} colour @param {boolean} accessible @param {boolean} dimmed */
  of(state, colour, accessible, dimmed) {
    const key = state + 4 * (colour + 8 * (Number(accessible) + 2 * Number(dimmed)));
    let sprite = this.#made.get(key);
    if (!sprite) {
      sprite = document.createElement('canvas');
      sprite.width = this.pixels;
      sprite.height = this.pixels;
      const context = /** @type {CanvasRenderingContext2D} */ (sprite.getContext('2d'));
      context.scale(this.density, this.density);
      context.translate(this.pixels / this.density / 2, this.pixels / this.density / 2);
      this.#paint(context, state, this.look.categories[colour], accessible, dimmed);
      this.#made.set(key, sprite);
    }
    return sprite;
  }

  #paint(context, state, colour, accessible, dimmed) {
    const radius = this.size / 2;
    if (dimmed) context.globalAlpha = 0.18;
    context.lineCap = 'round';
    paintSeat(context, ['free', 'held', 'sold', 'blocked'][state], radius, colour, accessible, this.look);
  }
}

/**
 * Paints one seat around the origin.
 * @param {CanvasRenderingContext2D} context @param {string} state @param {number} radius @param {string} colour
 * @param {boolean} accessible @param {Look} look
 */
export function paintSeat(context, state, radius, colour, accessible, look) {
  context.lineWidth = Math.max(1, radius / 4.5);
  context.strokeStyle = look.soft;
  context.fillStyle = colour;
  context.beginPath();
  if (state === 'free') {
    if (accessible) context.roundRect(-radius * 0.92, -radius * 0.92, radius * 1.84, radius * 1.84, radius * 0.3);
    else context.arc(0, 0, radius, 0, FULL);
    context.fill();
  } else if (state === 'held') {
    context.arc(0, 0, radius * 0.72, 0, FULL);
    context.stroke();
  } else if (state === 'sold') {
    const arm = radius * 0.48;
    context.moveTo(-arm, -arm);
    context.lineTo(arm, arm);
    context.moveTo(arm, -arm);
    context.lineTo(-arm, arm);
    context.stroke();
  } else if (state === 'blocked') {
    context.moveTo(-radius * 0.6, 0);
    context.lineTo(radius * 0.6, 0);
    context.stroke();
  } else {
    paintChosen(context, state, radius, look);
  }
  if (accessible && state !== 'chosen' && state !== 'yours') paintWheel(context, radius, state === 'free' ? look.paper : look.soft);
}

function paintChosen(context, state, radius, look) {
  context.fillStyle = look.accent;
  context.arc(0, 0, radius, 0, FULL);
  context.fill();
  context.beginPath();
  context.strokeStyle = look.accent;
  context.lineWidth = Math.max(1.5, radius / 5);
  context.arc(0, 0, radius * 1.28, 0, FULL);
  // A choice is not held yet: its ring is open.
  context.setLineDash(state === 'yours' ? [] : [radius * 0.5, radius * 0.34]);
  context.stroke();
  context.setLineDash([]);
  context.beginPath();
  context.strokeStyle = look.onAccent;
  context.lineWidth = Math.max(1.5, radius / 4);
  context.moveTo(-radius * 0.45, radius * 0.02);
  context.lineTo(-radius * 0.1, radius * 0.38);
  context.lineTo(radius * 0.48, -radius * 0.34);
  context.stroke();
}

/** A wheel and somebody in it, as far as a few pixels can tell. */
function paintWheel(context, radius, colour) {
  context.beginPath();
  context.strokeStyle = colour;
  context.lineWidth = Math.max(1, radius / 5);
  context.arc(radius * 0.02, radius * 0.2, radius * 0.38, -0.4, Math.PI * 1.25);
  context.moveTo(-radius * 0.1, -radius * 0.42);
  context.lineTo(-radius * 0.1, radius * 0.12);
  context.lineTo(radius * 0.3, radius * 0.12);
  context.stroke();
}
