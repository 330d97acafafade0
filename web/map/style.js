// @ts-check
/** The style of `<seat-map>`. Colours are custom properties that the page around may set, each with a fair default. */

export const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host {
  --map-paper: #ffffff; --map-ink: #1c1f1d; --map-soft: #5a625d; --map-part: #f2f0ea; --map-line: #d9d6cc;
  --map-accent: #166534; --map-on-accent: #ffffff; --map-alarm: #b3261e;
  --map-category-1: #1d5fa8; --map-category-2: #a8480f; --map-category-3: #6b3fa0; --map-category-4: #0f7663;
  --map-category-5: #b0276b; --map-category-6: #756000; --map-category-7: #455a64; --map-category-8: #8b1e1e;
  display: block; color: var(--map-ink); font: inherit; font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
@media (prefers-color-scheme: dark) {
  :host {
    --map-paper: #1c211e; --map-ink: #eef2ef; --map-soft: #a7b1ab; --map-part: #272d29; --map-line: #424b45;
    --map-accent: #86efac; --map-on-accent: #10231a; --map-alarm: #ffb4ab;
    --map-category-1: #7db8f5; --map-category-2: #f2a26b; --map-category-3: #c3a3ee; --map-category-4: #5fd0b9;
    --map-category-5: #f28bbf; --map-category-6: #d9c24f; --map-category-7: #a9bcc6; --map-category-8: #f09a9a;
  }
}
[hidden] { display: none !important; }
* { box-sizing: border-box; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; margin: 0; }
:focus-visible { outline: 3px solid var(--map-accent); outline-offset: 2px; border-radius: 4px; }
button { font: inherit; color: inherit; background: var(--map-paper); border: 1px solid var(--map-line); border-radius: 8px; cursor: pointer; min-height: 2.4rem; }
button:hover { border-color: var(--map-accent); }
.quiet { color: var(--map-soft); font-variant-numeric: tabular-nums; }
ul { list-style: none; margin: 0; padding: 0; }

.waiting { display: grid; place-content: center; justify-items: center; gap: .5rem; color: var(--map-soft); background: var(--map-part); border-radius: 14px;
  height: var(--map-height, clamp(22rem, 66vh, 46rem)); }
.waiting button { padding: 0 1rem; }
.stage { position: relative; height: var(--map-height, clamp(22rem, 66vh, 46rem)); border: 1px solid var(--map-line); border-radius: 14px; overflow: hidden; background: var(--map-paper); }
.stage > canvas:first-child { display: block; width: 100%; height: 100%; touch-action: none; cursor: grab; }
.stage > canvas:first-child:focus-visible { outline-offset: -3px; border-radius: 14px; }
.tools { position: absolute; right: .6rem; top: .6rem; display: flex; gap: .3rem; }
.tools button { width: 2.5rem; height: 2.5rem; padding: 0; font-size: 1.15rem; line-height: 1; }
.minimap { position: absolute; right: .6rem; bottom: .6rem; background: var(--map-part); border: 1px solid var(--map-line); border-radius: 6px; cursor: crosshair; touch-action: none; }
.connection { position: absolute; left: .6rem; bottom: .6rem; margin: 0; max-width: calc(100% - 11rem); padding: .25rem .7rem; border-radius: 8px; background: var(--map-ink); color: var(--map-paper); font-size: .85rem; }
.card { position: absolute; left: 0; top: 0; display: grid; padding: .45rem .7rem; pointer-events: none; white-space: nowrap; max-width: calc(100% - 8px);
  background: var(--map-paper); border: 1px solid var(--map-line); border-radius: 10px; box-shadow: 0 4px 18px rgb(0 0 0 / .18); font-size: .9rem; line-height: 1.4; }
.card em { font-style: normal; white-space: normal; max-width: 16rem; }
.card.refusal { border: 2px solid var(--map-alarm); }
.card.refusal em { color: var(--map-alarm); font-weight: 600; }

.prices { display: flex; flex-wrap: wrap; gap: .4rem; margin: 0 0 .6rem; }
.prices button { display: flex; flex-wrap: wrap; gap: 0 .5rem; align-items: center; padding: .2rem .75rem; font-size: .92rem; text-align: left; }
.prices button[aria-pressed=true] { border-color: var(--map-accent); box-shadow: inset 0 0 0 1px var(--map-accent); }
.swatch { width: .8rem; height: .8rem; border-radius: 50%; flex: none; background: var(--map-category-1); }
.c2 { background: var(--map-category-2); } .c3 { background: var(--map-category-3); } .c4 { background: var(--map-category-4); }
.c5 { background: var(--map-category-5); } .c6 { background: var(--map-category-6); } .c7 { background: var(--map-category-7); } .c8 { background: var(--map-category-8); }
.shapes { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin-top: .6rem; font-size: .85rem; color: var(--map-soft); }
.shapes li { display: flex; align-items: center; gap: .35rem; }
.shapes canvas { width: 22px; height: 22px; }

.areas { margin: 0 0 .6rem; display: grid; gap: .4rem; }
.area { display: flex; flex-wrap: wrap; align-items: center; gap: .2rem .6rem; padding: .4rem .4rem .4rem .75rem; border: 1px solid var(--map-line); border-radius: 10px; background: var(--map-paper); }
.stepper { margin-left: auto; display: flex; align-items: center; gap: .3rem; }
.stepper button { width: 2.6rem; }
.stepper output { min-width: 2.2rem; text-align: center; font-weight: 600; font-variant-numeric: tabular-nums; }

.list { margin: 0 0 .6rem; border: 1px solid var(--map-line); border-radius: 10px; background: var(--map-paper); }
.list summary { padding: .5rem .75rem; cursor: pointer; font-weight: 600; border-radius: 10px; }
.list > p { margin: 0 .75rem .5rem; font-size: .9rem; }
.list > ul { max-height: 24rem; overflow: auto; padding: 0 .75rem .75rem; }
.list li { margin-top: .25rem; }
.sections > li > button, .rows > li > button { display: flex; flex-wrap: wrap; gap: 0 .75rem; width: 100%; align-items: center; padding: .2rem .75rem; text-align: left; }
.list [aria-expanded]::before { content: "▸" / ""; color: var(--map-soft); }
.list [aria-expanded=true]::before { content: "▾" / ""; }
.rows { padding-left: 1rem; }
.seats { display: flex; flex-wrap: wrap; gap: .3rem; padding: .3rem 0 .4rem 1rem; }
.seats li { margin: 0; }
.seats button { min-width: 2.7rem; padding: 0 .4rem; font-variant-numeric: tabular-nums; }
.seats button[aria-pressed=true] { background: var(--map-accent); color: var(--map-on-accent); border-color: var(--map-accent); }
.seats button[aria-disabled=true] { color: var(--map-soft); border-style: dashed; cursor: not-allowed; text-decoration: line-through; }
.seats button[data-state=held]::after { content: " ○" / ""; } .seats button[data-state=sold]::after { content: " ×" / ""; }
.seats button[data-state=blocked]::after { content: " –" / ""; } .seats button[aria-pressed=true]::after { content: " ✓" / ""; }
.seats button.refusal { outline: 2px solid var(--map-alarm); }
`);
