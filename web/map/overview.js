// @ts-check
/** What is seen from far: the parts of the house, what is free in each and what it costs; and the stage. */

import {count, money} from '../format.js';
import {t} from '../text.js';
import {sayPrices} from './say.js';

/** @typedef {import('./chart.js').Chart} Chart */
/** Above this size of a seat, in pixels, its section's label would only be in the way. */
export const NEAR = 11;

/** The outlines of sections and areas, and the stage, below the seats. */
export function drawGround(context, chart, camera, look, aim) {
  for (const section of chart.sections) {
    if (!overlaps(section.box, camera.seen)) continue;
    context.beginPath();
    for (let at = 0; at < section.hull.length; at += 2) {
      const [x, y] = camera.toScreen(section.hull[at], section.hull[at + 1]);
      if (at === 0) context.moveTo(x, y); else context.lineTo(x, y);
    }
    context.closePath();
    context.fillStyle = look.part;
    context.fill();
    if (aim === section) outline(context, look);
  }
  for (const area of chart.areas) {
    const [x, y] = camera.toScreen(area.box.x, area.box.y);
    context.beginPath();
    context.roundRect(x, y, area.box.width * camera.scale, area.box.height * camera.scale, 8);
    context.fillStyle = look.part;
    context.fill();
    context.strokeStyle = look.categories[area.category.colour];
    context.lineWidth = 2;
    context.stroke();
    if (aim === area) outline(context, look);
  }
  drawStage(context, chart, camera, look);
}

function outline(context, look) {
  context.strokeStyle = look.accent;
  context.lineWidth = 3;
  context.stroke();
}

function drawStage(context, chart, camera, look) {
  const {x, y, width, height} = chart.stage;
  const [left, top] = camera.toScreen(x, y);
  context.beginPath();
  context.roundRect(left, top, width * camera.scale, height * camera.scale, 6);
  context.fillStyle = look.line;
  context.fill();
  const size = Math.min(15, height * camera.scale * 0.62);
  if (size < 7) return;
  write(context, look, t('map.stage'), left + width * camera.scale / 2, top + height * camera.scale / 2, size, look.ink);
}

/** The labels, above the seats. */
export function drawLabels(context, chart, camera, picture, look, seatSize) {
  if (seatSize < NEAR) {
    for (const section of chart.sections) {
      if (!overlaps(section.box, camera.seen)) continue;
      const prices = sayPrices(section, chart.currency);
      const free = picture.sectionFree[section.number];
      label(context, camera, look, section.box, section.name, free === 0 ? t('map.none-free') : t('map.free', {n: free, count: count(free)}), prices);
    }
  }
  for (const area of chart.areas) {
    const free = picture.freeIn(area.number);
    label(context, camera, look, area.box, area.name, free === 0 ? t('map.none-free') : t('map.free', {n: free, count: count(free)}), money(area.category.price, chart.currency));
  }
}

/** As many of the lines as fit the box, on a plate so that the seats below do not disturb. */
function label(context, camera, look, box, ...lines) {
  const [width, height] = [box.width * camera.scale, box.height * camera.scale];
  const size = Math.max(10.5, Math.min(15, width / 8));
  context.font = `600 ${size}px ${look.font}`;
  const shown = lines.slice(0, Math.max(1, Math.floor((height - 6) / (size * 1.3))));
  const widest = Math.max(...shown.map((line) => context.measureText(line).width));
  if (widest > width + 8) {
    if (context.measureText(lines[0]).width > width + 8) return;
    shown.length = 1;
  }
  const plate = Math.max(...shown.map((line) => context.measureText(line).width)) + 14;
  const [x, y] = camera.toScreen(box.x + box.width / 2, box.y + box.height / 2);
  const tall = shown.length * size * 1.3 + 6;
  context.beginPath();
  context.roundRect(x - plate / 2, y - tall / 2, plate, tall, 6);
  context.globalAlpha = 0.88;
  context.fillStyle = look.paper;
  context.fill();
  context.globalAlpha = 1;
  for (const [at, line] of shown.entries()) {
    write(context, look, line, x, y - tall / 2 + 3 + (at + 0.5) * size * 1.3, size, at === 0 ? look.ink : look.soft, at === 0 ? 600 : 500);
  }
}

function write(context, look, text, x, y, size, colour, weight = 600) {
  context.font = `${weight} ${size}px ${look.font}`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.fillStyle = colour;
  context.fillText(text, x, y);
}

/** The names of rows at their ends, when one is near enough to care. */
export function drawRowNames(context, chart, camera, look, seatSize) {
  if (seatSize < NEAR) return;
  const {seen} = camera;
  context.font = `600 ${Math.min(14, seatSize * 0.6)}px ${look.font}`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.fillStyle = look.soft;
  for (const section of chart.sections) {
    if (!overlaps(section.box, seen)) continue;
    for (const row of section.rows) {
      if (row.count === 0) continue;
      const [first, last] = [row.first, row.first + row.count - 1];
      for (const [at, side] of [[first, -1], [last, 1]]) {
        const [x, y] = camera.toScreen(chart.x[at] + side * chart.spacing * 0.92, chart.y[at]);
        if (x > -20 && y > -20 && x < camera.width + 20 && y < camera.height + 20) context.fillText(row.name, x, y);
      }
    }
  }
}

const overlaps = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
