/** How the view looks around its canvases. */

export const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
export const TALLEST = 520; // CSS pixels of a picture
export const GRID_WIDE = 480; // of all grids, at most

export const CSS = `
:host { display: block; width: 100%; min-width: 280px; container-type: inline-size; }
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
.view {
  --ink: var(--jp-ui-font-color1, var(--vscode-editor-foreground, inherit));
  color: var(--ink);
  background: var(--jp-layout-color1, var(--vscode-editor-background, transparent));
  font: 14px/1.45 ${FONT};
  padding: 8px;
}
.bar { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: center; }
.bar label { display: inline-flex; gap: 5px; align-items: center; }
select, button { font: inherit; color: inherit; background: Field; border: 1px solid GrayText;
  border-radius: 4px; padding: 2px 6px; min-height: 26px; }
select, option { color: FieldText; max-width: 18em; }
button { color: ButtonText; background: ButtonFace; min-width: 28px; cursor: pointer; }
input { margin: 0; width: 15px; height: 15px; }
:focus-visible { outline: 3px solid #2f7de1; outline-offset: 2px; }
.sentence { min-height: 2.9em; margin: 8px 0 4px; font-size: 15px; overflow-wrap: anywhere; }
.sentence em { font-style: normal; font-weight: 650; unicode-bidi: isolate; }
.pictures { display: flex; flex-wrap: wrap; gap: 12px 24px; align-items: flex-start; }
figure { margin: 0; min-width: 0; max-width: 100%; }
figure.heads { flex: 0 1 auto; }
figure.matrix { flex: 1 1 340px; max-width: 660px; }
figure.lines { flex: 1 1 270px; max-width: 360px; }
figure.inside { flex: 1 1 100%; max-width: 760px; }
figure[hidden], .inside [hidden] { display: none; }
.steps { margin: 2px 0; padding-left: 24px; font-size: 13px; }
.inside p { margin: 0; font-size: 13px; }
figcaption { min-height: 30px; margin-bottom: 4px; font-weight: 600; display: flex; flex-wrap: wrap;
  gap: 2px 10px; align-items: center; }
figcaption small, .foot, .kind { font-size: 12.5px; font-weight: 400; opacity: 0.9; }
.kind { margin: 4px 0 2px; }
.kinds { display: flex; flex-wrap: wrap; gap: 4px 16px; max-width: ${GRID_WIDE}px;
  max-height: ${TALLEST + 40}px; overflow: auto; padding: 3px; }
.plane { position: relative; }
.plane canvas { position: sticky; left: 0; top: 0; }
.measures { flex-basis: 100%; font-size: 13px; max-width: 720px; }
.measures[hidden], .bar button[hidden] { display: none; }
.measures p { margin: 0; }
.scroll { overflow: auto; position: relative; width: 100%; }
.scroll.whole { overflow: hidden; }
.glass { position: sticky; left: 0; top: 0; overflow: hidden; }
.glass canvas { position: absolute; left: 0; top: 0; }
.glass canvas.over { pointer-events: none; }
.glass canvas:focus-visible, .kinds canvas:focus-visible { outline-offset: -3px; }
canvas { display: block; touch-action: pan-x pan-y; }
.waiting .matrix, .waiting .lines, .waiting .inside { opacity: 0.45; }
.foot { display: flex; flex-wrap: wrap; gap: 4px 18px; align-items: center; margin-top: 8px; }
.foot p { margin: 0; }
.legend { display: inline-flex; gap: 6px; align-items: center; }
.alert { margin: 0 0 8px; padding: 8px 10px; border: 1px solid #b3261e; border-left-width: 6px;
  background: #fdecea; color: #7d1712; overflow-wrap: anywhere; white-space: pre-wrap; }
.alert[hidden] { display: none; }
details { font-size: 12.5px; }
summary { cursor: pointer; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 12px; margin: 4px 0; }
dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: isolate; }
kbd { font: 12px ui-monospace, monospace; }
@container (max-width: 720px) { figure.matrix, figure.lines { flex-basis: 100%; } }
@media (prefers-reduced-motion: reduce) {
  * { scroll-behavior: auto; transition: none; animation: none; }
}
`;
