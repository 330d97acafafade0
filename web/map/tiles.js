// @ts-check
/**
 * Draws the seats in square tiles that are kept: moving the map copies a few of them, whatever the number of seats,
 * and a seat that changes is painted over in the one tile where it lies.
 *
 * While somebody zooms, the old tiles are stretched; when the zoom rests, new ones are made, a few a frame.
 */

import {drawDots} from './dots.js';
import {Sprites} from './look.js';

/** The side of a tile in pixels of the screen. */
const SIDE = 256;
/** How long a frame may spend on new tiles: less than half of what sixty frames a second leave. */
const BUDGET_MS = 6;
/** How long one may take while there is nothing to see yet. */
const FIRST_MS = 60;
/** How long the scale must rest before tiles are made for it. */
const REST_MS = 110;
/** How many bytes of tiles are kept. */
const KEPT_BYTES = 96 * 2 ** 20;

/** @typedef {import('./chart.js').Chart} Chart @typedef {import('./camera.js').Camera} Camera */

/** Tiles of one scale. */
class Sheet {
  /** @type {Map<string, HTMLCanvasElement>} in the order of their last use */ tiles = new Map();
  /** Tiles of which some seat has changed; shown until they are made anew. @type {Set<string>} */ stale = new Set();
  constructor(scale, sprites) {
    this.scale = scale;
    this.sprites = sprites;
  }
}

export class Tiles {
  /** @type {Sheet | null} */ #sheet = null;
  /** @type {Sheet | null} shown where the new sheet has no tile yet */ #old = null;
  #lastScale = 0;
  #wasComplete = false;
  #zoomedAt = 0;
  #density = 1;
  /** @type {import('./look.js').Look} */ #look;
  /** Categories that are drawn faintly, because somebody looks for others. @type {Set<number>} */ #dimmed = new Set();

  /** @param {Chart} chart @param {import('./picture.js').Picture} picture @param {import('./look.js').Look} look */
  constructor(chart, picture, look) {
    this.chart = chart;
    this.picture = picture;
    this.#look = look;
  }

  /** The size of a seat on the screen at a scale. */
  seatSize(/** @type {number} */ scale) { return scale * this.chart.spacing * 0.82; }

  /** Everything is drawn anew: another look, another filter, another picture. */
  refresh({look = this.#look, dimmed = this.#dimmed} = {}) {
    this.#look = look;
    this.#dimmed = dimmed;
    this.#old = null;
    this.#sheet = null;
  }

  /** Paints seats over that have changed. */
  repaint(/** @type {number[]} */ seats) {
    for (const sheet of [this.#sheet, this.#old]) if (sheet) for (const at of seats) this.#repaintOne(sheet, at);
  }

  /**
   * Draws what the camera sees. Answers whether there is more to do: then it wants to be called again.
   * @param {CanvasRenderingContext2D} context @param {Camera} camera @param {number} density @param {number} now
   */
  draw(context, camera, density, now) {
    if (density !== this.#density) {
      this.#density = density;
      this.refresh();
    }
    if (camera.scale !== this.#lastScale) {
      this.#lastScale = camera.scale;
      this.#zoomedAt = now;
    }
    this.#sheet ??= this.#newSheet(camera.scale);
    if (this.#sheet.scale !== camera.scale && now - this.#zoomedAt > REST_MS) {
      this.#old = this.#sheet;
      this.#sheet = this.#newSheet(camera.scale);
    }
    const isRested = this.#sheet.scale === camera.scale;
    const missing = isRested ? this.#complete(camera, this.#sheet) : 1;
    if (this.#old && missing > 0) this.#lay(context, camera, this.#old);
    else this.#old = null;
    this.#lay(context, camera, this.#sheet);
    return missing > 0;
  }

  #newSheet(scale) { return new Sheet(scale, new Sprites(this.#look, this.seatSize(scale), this.#density)); }

  /** Calls `each` with the tiles of a sheet that the camera sees. */
  #seen(camera, sheet, each) {
    const [originX, originY] = camera.toScreen(0, 0);
    const side = SIDE * camera.scale / sheet.scale;
    const [left, right] = [Math.floor(-originX / side), Math.floor((camera.width - originX) / side)];
    const [top, bottom] = [Math.floor(-originY / side), Math.floor((camera.height - originY) / side)];
    for (let line = top; line <= bottom; line += 1) {
      for (let column = left; column <= right; column += 1) {
        each(column, line, originX + column * side, originY + line * side, side);
      }
    }
  }

  /** Makes what is missing, as far as there is time. Answers how much is still missing. */
  #complete(camera, sheet) {
    const until = performance.now() + (this.#wasComplete ? BUDGET_MS : FIRST_MS);
    let missing = 0;
    this.#seen(camera, sheet, (column, line) => {
      const key = `${column}:${line}`;
      if (sheet.tiles.has(key) && !sheet.stale.has(key)) return;
      if (performance.now() < until) {
        this.#make(sheet, column, line);
        this.#forget(sheet);
      } else missing += 1;
    });
    this.#wasComplete ||= missing === 0;
    return missing;
  }

  #lay(context, camera, sheet) {
    // Whole pixels of the screen: half ones would blur every seat while the map moves.
    const snap = camera.scale === sheet.scale ? (value) => Math.round(value * this.#density) / this.#density : (value) => value;
    this.#seen(camera, sheet, (column, line, x, y, side) => {
      const key = `${column}:${line}`;
      const tile = sheet.tiles.get(key);
      if (!tile) return;
      // Used last: it is the last to be forgotten.
      sheet.tiles.delete(key);
      sheet.tiles.set(key, tile);
      context.drawImage(tile, snap(x), snap(y), side, side);
    });
  }

  #forget(sheet) {
    const most = Math.max(24, Math.floor(KEPT_BYTES / (4 * (SIDE * this.#density) ** 2)));
    for (const key of sheet.tiles.keys()) {
      if (sheet.tiles.size < most) break;
      sheet.tiles.delete(key);
    }
  }

  #make(sheet, column, line) {
    const tile = document.createElement('canvas');
    tile.width = Math.round(SIDE * this.#density);
    tile.height = tile.width;
    const context = /** @type {CanvasRenderingContext2D} */ (tile.getContext('2d'));
    const reach = this.chart.spacing;
    const side = SIDE / sheet.scale;
    const box = {x: column * side - reach, y: line * side - reach, width: side + 2 * reach, height: side + 2 * reach};
    if (sheet.sprites.isDot) this.#drawDots(context, sheet, column, line, box);
    else this.chart.within(box, (at) => this.#paint(context, sheet, column, line, at));
    sheet.tiles.set(`${column}:${line}`, tile);
    sheet.stale.delete(`${column}:${line}`);
  }

  #drawDots(context, sheet, column, line, box) {
    const {chart, picture} = this;
    const scale = sheet.scale * this.#density;
    const [left, top] = [column * SIDE * this.#density, line * SIDE * this.#density];
    const dimmed = chart.categories.map((category) => this.#dimmed.has(category.number));
    drawDots(context, this.#look, sheet.sprites.size * this.#density, (dot) => chart.within(box, (at) => {
      const category = chart.category[at];
      dot(chart.x[at] * scale - left, chart.y[at] * scale - top, picture.states[at], chart.categories[category].colour, dimmed[category]);
    }));
  }

  #paint(context, sheet, column, line, at) {
    const {sprites, scale} = sheet;
    const category = this.chart.category[at];
    const sprite = sprites.of(this.picture.states[at], this.chart.categories[category].colour,
      this.chart.accessible[at] === 1, this.#dimmed.has(category));
    const density = this.#density;
    const x = Math.round((this.chart.x[at] * scale - column * SIDE) * density - sprites.pixels / 2);
    const y = Math.round((this.chart.y[at] * scale - line * SIDE) * density - sprites.pixels / 2);
    context.drawImage(sprite, x, y);
    if (sprites.isNamed && this.picture.isFree(at) && this.chart.accessible[at] === 0) {
      context.globalAlpha = this.#dimmed.has(category) ? 0.3 : 1;
      context.fillStyle = this.#look.paper;
      context.font = `600 ${sprites.size * 0.42 * density}px ${this.#look.font}`;
      context.textAlign = 'center';
      context.textBaseline = 'middle';
      const name = this.chart.names[at];
      if (name.length < 4) context.fillText(name, x + sprites.pixels / 2, y + sprites.pixels / 2 + density);
      context.globalAlpha = 1;
    }
  }

  #repaintOne(sheet, at) {
    const {scale} = sheet;
    const [x, y] = [this.chart.x[at] * scale, this.chart.y[at] * scale];
    const half = sheet.sprites.pixels / this.#density / 2;
    for (let line = Math.floor((y - half) / SIDE); line <= Math.floor((y + half) / SIDE); line += 1) {
      for (let column = Math.floor((x - half) / SIDE); column <= Math.floor((x + half) / SIDE); column += 1) {
        const tile = sheet.tiles.get(`${column}:${line}`);
        if (!tile) continue;
        if (sheet.sprites.isDot) {
          sheet.stale.add(`${column}:${line}`);
          continue;
        }
        const context = /** @type {CanvasRenderingContext2D} */ (tile.getContext('2d'));
        // Whatever else reaches into its square is painted again with it.
        const reach = Math.ceil(sheet.sprites.pixels / 2) + 1;
        const [left, top] = [x - column * SIDE, y - line * SIDE].map((value) => Math.round(value * this.#density) - reach);
        context.save();
        context.beginPath();
        context.rect(left, top, 2 * reach, 2 * reach);
        context.clip();
        context.clearRect(left, top, 2 * reach, 2 * reach);
        const far = 2 * reach / this.#density / scale;
        this.chart.within({x: x / scale - far, y: y / scale - far, width: 2 * far, height: 2 * far},
          (other) => this.#paint(context, sheet, column, line, other));
        context.restore();
      }
    }
  }
}
