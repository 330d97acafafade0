// @ts-check
/**
 * Seats from far: a few pixels each. Written straight into a tile's pixels, since painting a hundred thousand of them
 * one by one would take a good part of a second.
 */

/** How strongly a seat is seen by its state: free, held, sold, blocked. */
const STRENGTH = [1, 0.55, 0.3, 0];
const DIMMED = 0.18;

/** Red, green and blue of a colour as CSS writes it. */
function channels(/** @type {CanvasRenderingContext2D} */ context, /** @type {string} */ colour) {
  // The canvas knows every way to write a colour, and answers in one.
  context.fillStyle = colour;
  const number = Number.parseInt(String(context.fillStyle).slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

/**
 * Fills a tile. `each` calls back with every seat in it: the middle in pixels, its state, its colour's number, and
 * whether it is dimmed.
 * @param {CanvasRenderingContext2D} context of the tile @param {import('./look.js').Look} look
 * @param {number} size of a seat in the tile's pixels
 * @param {(dot: (x: number, y: number, state: number, colour: number, dimmed: boolean) => void) => void} each
 */
export function drawDots(context, look, size, each) {
  const {width, height} = context.canvas;
  const colours = look.categories.map((colour) => channels(context, colour));
  const soft = channels(context, look.soft);
  const image = context.createImageData(width, height);
  const {data} = image;
  const half = size / 2;
  each((x, y, state, colour, dimmed) => {
    const strength = STRENGTH[state] * (dimmed ? DIMMED : 1) * 255;
    if (strength === 0) return;
    const [red, green, blue] = state === 0 ? colours[colour] : soft;
    const [left, right, top, bottom] = [x - half, x + half, y - half, y + half];
    for (let line = Math.max(0, Math.floor(top)); line < Math.min(height, bottom); line += 1) {
      // A pixel that is covered in part is coloured in part: else rows of dots would make stripes of their own.
      const tall = Math.min(line + 1, bottom) - Math.max(line, top);
      for (let column = Math.max(0, Math.floor(left)); column < Math.min(width, right); column += 1) {
        const at = 4 * (line * width + column);
        data[at] = red;
        data[at + 1] = green;
        data[at + 2] = blue;
        data[at + 3] += strength * tall * (Math.min(column + 1, right) - Math.max(column, left));
      }
    }
  });
  context.putImageData(image, 0, 0);
}
