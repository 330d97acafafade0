// @ts-check
/** Draws a frame of the map: the house, its seats, the labels, and on top what is this customer's own. */

import {paintSeat} from './look.js';
import {drawGround, drawLabels, drawRowNames} from './overview.js';
import {standing} from './say.js';

const FULL = Math.PI * 2;
/** However far one is: what is one's own is seen. */
const LEAST_RADIUS = 5;

export class Painter {
  /**
   * @param {HTMLCanvasElement} canvas @param {import('./camera.js').Camera} camera
   * @param {import('./choice.js').Choice} choice @param {import('./tiles.js').Tiles} tiles @param {import('./look.js').Look} look
   */
  constructor(canvas, camera, choice, tiles, look) {
    this.canvas = canvas;
    this.camera = camera;
    this.choice = choice;
    this.tiles = tiles;
    this.look = look;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', {alpha: false}));
  }

  /** Pixels of the screen to one of the page. More than three, nobody sees. */
  get density() { return Math.min(3, devicePixelRatio || 1); }

  /**
   * Draws everything. Answers whether there is more to do: then it wants to be called again.
   * @param {number} now
   * @param {{aim: any, notes: Map<number, string>, aimed: number, cursor: number}} own the part and the seat that a
   *   mouse points at, refused seats, and where the keyboard is; -1 is nowhere
   */
  draw(now, own) {
    const {canvas, camera, context, look, tiles, density} = this;
    const {chart, picture} = this.choice;
    const [width, height] = [Math.round(camera.width * density), Math.round(camera.height * density)];
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    context.setTransform(density, 0, 0, density, 0, 0);
    context.fillStyle = look.paper;
    context.fillRect(0, 0, camera.width, camera.height);
    drawGround(context, chart, camera, look, own.aim);
    const isUnfinished = tiles.draw(context, camera, density, now);
    const size = tiles.seatSize(camera.scale);
    drawRowNames(context, chart, camera, look, size);
    drawLabels(context, chart, camera, picture, look, size);
    this.#drawOwn(Math.max(LEAST_RADIUS, size / 2), own);
    return isUnfinished;
  }

  /** Few seats, drawn anew each time. */
  #drawOwn(radius, {notes, aimed, cursor}) {
    const {choice, look, context} = this;
    for (const seat of new Set([...choice.yours, ...choice.seats])) {
      this.#at(seat, () => {
        context.beginPath();
        context.fillStyle = look.part;
        context.arc(0, 0, radius * 1.1, 0, FULL);
        context.fill();
        paintSeat(context, standing(choice, seat), radius * 0.86, '', false, look);
      });
    }
    const ring = (seat, colour, wide) => this.#at(seat, () => {
      context.beginPath();
      context.strokeStyle = colour;
      context.lineWidth = wide;
      context.arc(0, 0, radius * 1.35 + 2, 0, FULL);
      context.stroke();
    });
    for (const seat of notes.keys()) ring(seat, look.alarm, 3);
    if (aimed >= 0) ring(aimed, look.ink, 2);
    if (cursor >= 0) ring(cursor, look.accent, 3.5);
  }

  /** Paints around a seat's middle. */
  #at(seat, paint) {
    const {chart} = this.choice;
    this.context.save();
    this.context.translate(...this.camera.toScreen(chart.x[seat], chart.y[seat]));
    paint();
    this.context.restore();
  }
}
