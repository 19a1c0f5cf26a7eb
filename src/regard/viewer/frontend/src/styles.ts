/** How the view looks around its canvases. */

export const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
const [LEAST, MOST] = [520, 1600]; // CSS pixels of a picture
const BESIDE = 190; // what a window has of other things

/** How high a picture may be: as high as the window has room. */
export const tallest = (): number => Math.max(LEAST, Math.min(MOST, window.innerHeight - BESIDE));
export const GRID_WIDE = 480; // of all grids, at most

export const CSS = `
:host { display: block; width: 100%; min-width: 280px; container-type: inline-size; }
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
.view {
  color: var(--ink);
  background: var(--ground);
  font: 14px/1.45 ${FONT};
  padding: 8px;
  animation: placed 1ms; /* theme.ts hears it: this was put somewhere */
}
@keyframes placed { from { opacity: 1; } }
.bar { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: center; }
.pins, .chips { display: inline-flex; flex-wrap: wrap; gap: 4px 6px; align-items: center; }
.besides { display: contents; }
.bar label { display: inline-flex; gap: 5px; align-items: center; }
select, option, button { font: inherit; color: var(--ink); background: var(--field); }
select, button { border: 1px solid var(--edge);
  border-radius: 4px; padding: 2px 6px; min-height: 26px; }
select { max-width: min(26em, 100%); }
button { min-width: 28px; cursor: pointer; }
input { margin: 0; width: 15px; height: 15px; accent-color: var(--focus); }
input[type=range] { width: 110px; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
.view { position: relative; }
.view:focus { outline: none; } /* a click gives it the keys, where nothing else takes them */
.sentence { position: sticky; top: 0; z-index: 2; background: var(--ground);
  min-height: 2.9em; margin: 8px 0 4px; font-size: 15px; overflow-wrap: anywhere; }
.sentence em { font-style: normal; font-weight: 650; unicode-bidi: isolate; }
.tip { position: absolute; z-index: 3; pointer-events: none; padding: 3px 8px; font-size: 13px;
  border: 1px solid var(--edge); border-radius: 4px; background: var(--field); color: var(--ink);
  width: max-content; overflow-wrap: anywhere; }
.tip[hidden], select[hidden], input[hidden], ol[hidden] { display: none; }
.tip em { font-style: normal; font-weight: 650; unicode-bidi: isolate; }
.reading { flex: 1 1 100%; }
.panel { display: flex; flex-wrap: wrap; gap: 8px 24px; }
.texts { flex: 3 1 320px; max-height: 320px; overflow: auto; line-height: 1.9; }
.texts p { margin: 0 0 6px; }
.texts span { padding: 2px 3px; border-radius: 3px; cursor: pointer; unicode-bidi: isolate;
  overflow-wrap: anywhere; }
.texts button { padding: 0 6px; min-height: 24px; min-width: 0; }
.folds { display: inline-flex; flex-wrap: wrap; gap: 3px; }
.folds button { font-size: 12px; font-weight: 400; padding: 1px 5px; }
.texts .own { outline: 2px solid var(--accent); }
.ranking { flex: 1 1 200px; max-height: 320px; display: flex; flex-direction: column; }
.ranking p { margin: 0 0 2px; font-size: 13px; font-weight: 600; overflow-wrap: anywhere; }
.ranking p[hidden] { display: none; }
.ranked { flex: 0 1 auto; overflow: auto; margin: 0; padding-left: 3.2em; font-size: 13px; }
.ranked.cut { overflow-y: scroll; border-bottom: 2px dashed var(--edge); }
input[type=search] { font: inherit; font-weight: 400; width: 10em; height: 26px; padding: 2px 6px;
  color: var(--ink); background: var(--field); border: 1px solid var(--edge); border-radius: 4px; }
.pictures { display: flex; flex-wrap: wrap; gap: 12px 24px; align-items: flex-start; }
figure { margin: 0; min-width: 0; max-width: 100%; }
figure.heads { flex: 0 1 auto; }
.matrices { flex: 6 1 440px; min-width: 0; display: grid; gap: 12px 24px;
  max-width: min(clamp(660px, 100vh, 1760px), max(440px, var(--widest)));
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); }
.matrices.several { flex-basis: 900px; max-width: none; }
figure.lines { flex: 1 1 270px; max-width: 360px; }
figure.picture { flex: 3 1 340px; max-width: clamp(440px, 70vh, 900px); }
figure.picture.several { flex-basis: 480px; max-width: clamp(440px, 100vh, 1200px); }
figure.sound { flex: 1 1 100%; }
figure.inside { flex: 1 1 420px; max-width: 760px; }
figure[hidden], .inside [hidden], figcaption [hidden] { display: none; }
.steps { margin: 2px 0; padding-left: 24px; font-size: 13px; }
.inside p { margin: 0; font-size: 13px; }
figcaption { min-height: 30px; margin-bottom: 4px; font-weight: 600; display: flex; flex-wrap: wrap;
  gap: 2px 10px; align-items: center; }
figcaption small, .foot, .kind { font-size: 12.5px; font-weight: 400; color: var(--quiet); }
.measured { margin: 0 0 4px; width: 0; min-width: 100%; font-size: 12.5px; color: var(--quiet); }
.take { display: inline-flex; gap: 3px; }
.take button { font-size: 12px; font-weight: 400; padding: 1px 5px; }
.kind { margin: 4px 0 2px; position: sticky; left: 0; width: max-content; max-width: 100%; }
.kinds { display: flex; flex-wrap: wrap; gap: 4px 16px; max-width: ${GRID_WIDE}px;
  max-height: clamp(${LEAST}px, calc(100vh - ${BESIDE}px), ${MOST}px);
  overflow: auto; padding: 3px; }
.plane { position: relative; }
.plane canvas { position: sticky; left: 0; top: 0; }
.measures { flex-basis: 100%; font-size: 13px; }
.measures > * { max-width: 720px; }
.measures[hidden], .bar button[hidden] { display: none; }
.measures p { margin: 0; }
.scroll { overflow: auto; position: relative; width: 100%; }
.scroll.whole { overflow: hidden; }
.glass { position: sticky; left: 0; top: 0; overflow: hidden; }
.glass canvas { position: absolute; left: 0; top: 0; }
.glass canvas.over { pointer-events: none; }
.glass canvas:focus-visible, .kinds canvas:focus-visible { outline-offset: -3px; }
canvas { display: block; touch-action: pan-x pan-y; }
.waiting .matrix, .waiting .lines, .waiting .inside, .waiting .picture,
.waiting .sound { opacity: 0.45; }
.foot { display: flex; flex-wrap: wrap; gap: 4px 18px; align-items: center; margin-top: 8px; }
.foot p { margin: 0; }
.legend { display: inline-flex; flex-wrap: wrap; gap: 6px; align-items: center; }
.foot select { max-width: 100%; }
.alert { margin: 0 0 8px; padding: 8px 10px; border: 1px solid var(--alertEdge);
  border-left-width: 6px; background: var(--alertGround); color: var(--alertInk);
  overflow-wrap: anywhere; white-space: pre-wrap; }
.alert[hidden] { display: none; }
details { font-size: 12.5px; }
summary { cursor: pointer; }
details[open] { flex-basis: 100%; }
.keys { margin: 4px 0; padding-left: 18px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 12px; margin: 4px 0; }
dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: isolate; }
kbd { font: 12px ui-monospace, monospace; }
@media (pointer: coarse) {
  button, select, input[type=search], .bar label, summary { min-height: 44px; min-width: 44px; }
  input[type=checkbox] { width: 24px; height: 24px; }
  .texts { line-height: 2.6; }
  .kinds { max-width: ${GRID_WIDE + 100}px; }
}
@container (max-width: 480px) { .sentence { font-size: 14px; line-height: 1.35; } }
@container (max-width: 720px) {
  .matrices, figure.lines, figure.picture { flex-basis: 100%; max-width: 100%; }
}
@container (min-width: 1480px) {
  figure.lines { flex-basis: 230px; }
  figure.inside { flex-basis: 260px; max-width: 380px; }
}
@media print {
  .view { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .bar, .tip, summary, figcaption button, input[type=search] { display: none; }
  .sentence { position: static; }
  .glass canvas.over { display: none; }
  .texts, .ranking, .ranked { max-height: none; overflow: visible; }
  figure { break-inside: avoid; }
}
@media (prefers-reduced-motion: reduce) {
  * { scroll-behavior: auto; transition: none; animation: none; }
}
`;
