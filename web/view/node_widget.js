/** The panel on a POSI node: what came of its last run. A DOM widget, so that Nodes 2.0 shows it as well. */

import { percent } from "../lib/risk.js";
import { el } from "./element.js";
import { heatMap, riskBars } from "./risk.js";
import { verdictCard } from "./verdict.js";

export const UI_KEY = "posi";
const MIN_HEIGHT = 150;
const WIDTH = 400;
const TEXT_HEIGHT = 60;

/** Adds the panel to a node and keeps it up to date after every run. */
export function attachPanel(node, t, { minHeight = MIN_HEIGHT } = {}) {
  const panel = el("div", { class: "posi posi-panel", tabindex: "-1" });
  const state = { entries: [], index: 0, stale: false };
  const draw = () => panel.replaceChildren(...content(state, t, draw));

  const widget = node.addDOMWidget("posi_result", "POSI_RESULT", panel, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => minHeight,
    getValue: () => "",
    setValue: () => {},
  });
  // `serialize` on the widget keeps it out of the saved workflow, the one in its options out of the queue.
  widget.serialize = false;
  // The canvas must not zoom while the panel itself scrolls.
  panel.addEventListener("wheel", (event) => {
    if (panel.scrollHeight > panel.clientHeight && !event.ctrlKey) event.stopPropagation();
  });

  const onExecuted = node.onExecuted;
  node.onExecuted = function (output) {
    onExecuted?.apply(this, arguments);
    if (!Array.isArray(output?.[UI_KEY])) return;
    Object.assign(state, { entries: output[UI_KEY], index: 0, stale: false });
    draw();
  };
  for (const other of node.widgets ?? []) {
    if (other === widget) continue;
    const callback = other.callback;
    other.callback = function () {
      if (state.entries.length && !state.stale) {
        state.stale = true;
        draw();
      }
      return callback?.apply(this, arguments);
    };
  }
  // A new node leaves room for a prompt of some lines; a saved one gets its own size back after this.
  node.setSize?.([Math.max(node.size[0], WIDTH), node.computeSize()[1] + TEXT_HEIGHT]);
  draw();
  return widget;
}

function content(state, t, draw) {
  const entry = state.entries[state.index];
  if (!entry) return [el("p", { class: "posi-quiet posi-center" }, t("empty"))];
  const card = entry.kind === "risk" ? riskCard(entry, t) : verdictCard(entry, t);
  const parts = [card];
  if (state.stale) parts.unshift(el("p", { class: "posi-stale" }, t("stale")));
  if (state.entries.length > 1) parts.unshift(pager(state, t, draw));
  return parts;
}

function riskCard(entry, t) {
  const marked = entry.words.some((word) => word.share > 0);
  return el(
    "div",
    { class: "posi-card" },
    el("div", { class: "posi-head" }, el("span", { class: "posi-title" }, t("riskTitle", { value: percent(entry.overall) }))),
    heatMap(entry.text, entry.words),
    marked ? null : el("p", { class: "posi-quiet" }, t("noWords")),
    riskBars(null, entry, t, { most: 7 }),
  );
}

function pager(state, t, draw) {
  const count = state.entries.length;
  const turn = (step) => () => {
    state.index = (state.index + step + count) % count;
    draw();
  };
  return el(
    "div",
    { class: "posi-pager" },
    el("button", { class: "posi-button", "aria-label": t("previous"), onclick: turn(-1) }, "‹"),
    el("span", {}, t("position", { index: state.index + 1, count })),
    el("button", { class: "posi-button", "aria-label": t("next"), onclick: turn(1) }, "›"),
  );
}
