// @ts-check
/** The whole house in a corner, with a frame around what is seen; a press there brings one there. */

const WIDEST = 150;
const TALLEST = 110;

export class Minimap {
  #drawn = false;

  /** @param {import('./chart.js').Chart} chart @param {import('./camera.js').Camera} camera @param {import('./look.js').Look} look */
  constructor(chart, camera, look) {
    this.chart = chart;
    this.camera = camera;
    this.look = look;
    this.scale = Math.min(WIDEST / chart.box.width, TALLEST / chart.box.height);
    this.element = document.createElement('canvas');
    this.element.className = 'minimap';
    this.element.setAttribute('aria-hidden', 'true');
    this.ground = document.createElement('canvas');
    const go = (event) => {
      if (event.buttons !== 1) return;
      event.preventDefault();
      this.element.setPointerCapture(event.pointerId);
      camera.centre(event.offsetX / this.scale + chart.box.x, event.offsetY / this.scale + chart.box.y);
    };
    this.element.addEventListener('pointerdown', go);
    this.element.addEventListener('pointermove', go);
  }

  refresh(/** @type {import('./look.js').Look} */ look) {
    this.look = look;
    this.#drawn = false;
  }

  draw(/** @type {number} */ density) {
    this.element.hidden = this.camera.seesAll;
    if (this.element.hidden) return;
    const [width, height] = [this.chart.box.width * this.scale, this.chart.box.height * this.scale];
    if (!this.#drawn) {
      for (const canvas of [this.element, this.ground]) {
        canvas.width = Math.ceil(width * density);
        canvas.height = Math.ceil(height * density);
      }
      this.element.style.width = `${width}px`;
      this.element.style.height = `${height}px`;
      this.#paintGround(density);
      this.#drawn = true;
    }
    const context = /** @type {CanvasRenderingContext2D} */ (this.element.getContext('2d'));
    context.clearRect(0, 0, this.element.width, this.element.height);
    context.drawImage(this.ground, 0, 0);
    const {seen} = this.camera;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.strokeStyle = this.look.accent;
    context.lineWidth = 2;
    context.strokeRect((seen.x - this.chart.box.x) * this.scale, (seen.y - this.chart.box.y) * this.scale,
      seen.width * this.scale, seen.height * this.scale);
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  #paintGround(density) {
    const context = /** @type {CanvasRenderingContext2D} */ (this.ground.getContext('2d'));
    context.scale(density * this.scale, density * this.scale);
    context.translate(-this.chart.box.x, -this.chart.box.y);
    for (const section of this.chart.sections) {
      context.beginPath();
      for (let at = 0; at < section.hull.length; at += 2) context.lineTo(section.hull[at], section.hull[at + 1]);
      const colour = section.count > 0 ? this.chart.categories[this.chart.category[section.first]].colour : 0;
      context.fillStyle = this.look.categories[colour];
      context.fill();
    }
    for (const {box, category} of this.chart.areas) {
      context.fillStyle = this.look.categories[category.colour];
      context.fillRect(box.x, box.y, box.width, box.height);
    }
    const {x, y, width, height} = this.chart.stage;
    context.fillStyle = this.look.soft;
    context.fillRect(x, y, width, height);
  }
}
