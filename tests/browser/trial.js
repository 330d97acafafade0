// Says what was done to the page.
const said = document.querySelector('#said');
const say = (what) => { said.append(`${what}. `); };

for (const button of document.querySelectorAll('button')) button.addEventListener('click', (event) => say(`${button.textContent} ${event.isTrusted ? 'by hand' : 'by script'}`));
document.querySelector('#email').addEventListener('change', (event) => say(`mail ${event.target.value}`));
document.querySelector('#tickets').addEventListener('change', (event) => say(`tickets ${event.target.value}`));
document.querySelector('#day').addEventListener('change', (event) => say(`day ${event.target.value}`));
document.addEventListener('keydown', (event) => { if (event.shiftKey && event.key === 'ArrowDown') say('down, shifted'); });

customElements.define('trial-box', class extends HTMLElement {
  constructor() {
    super();
    const outer = this.attachShadow({mode: 'open'});
    outer.innerHTML = '<p>In the shade.</p><div></div>';
    const inner = outer.querySelector('div').attachShadow({mode: 'open'});
    inner.innerHTML = '<button type="button">Deep inside</button>';
    inner.querySelector('button').addEventListener('click', () => say('deep'));
  }
});

const pad = document.querySelector('#pad');
let fingers = new Set();
let moves = 0;
pad.addEventListener('pointerdown', (event) => { fingers.add(event.pointerId); moves = 0; if (fingers.size === 2) say('two fingers'); });
pad.addEventListener('pointermove', (event) => { if (event.buttons) moves += 1; else say(`mouse at ${event.offsetX} ${event.offsetY}`); });
pad.addEventListener('pointerup', (event) => { fingers.delete(event.pointerId); say(`dragged ${moves} to ${event.offsetX} ${event.offsetY}`); });
pad.addEventListener('wheel', (event) => { event.preventDefault(); say(`wheel ${event.deltaY}`); });
