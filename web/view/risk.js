/** Risk bars and the heat map of words. */

import { heat, level, percent, rows } from "../lib/risk.js";
import { el } from "./element.js";

/** Words under this part of the hottest one stay unmarked, so that the eye finds the ones that matter. */
const FAINT = 0.2;

/** Bars by category; the faint bar is the risk before, the solid one after. */
export function riskBars(before, after, t, { most = 4 } = {}) {
  const found = rows(before, after);
  if (!found.length) return null;
  const shown = found.slice(0, most + 1);
  return el("div", { class: "posi-bars", role: "list" }, shown.map((row) => bar(row, t)));
}

function bar({ name, before, after }, t) {
  const label = name === "overall" ? t("overall") : t(`category.${name}`);
  const now = after ?? before;
  const both = before !== null && after !== null && percent(before) !== percent(after);
  const values = both ? `${percent(before)} → ${percent(after)}` : percent(now);
  const track = el("span", { class: "posi-track" });
  if (before !== null && both) track.append(fill(before, "posi-fill posi-fill-before"));
  track.append(fill(now, `posi-fill posi-${level(now)}`));
  return el(
    "div",
    { class: `posi-bar${name === "overall" ? " posi-bar-overall" : ""}`, role: "listitem" },
    el("span", { class: "posi-bar-name" }, label),
    track,
    el("span", { class: "posi-bar-value" }, values),
  );
}

function fill(value, className) {
  return el("span", { class: className, style: { width: `${Math.max(1, Math.min(1, value) * 100)}%` } });
}

/** The text with the words that carry the risk marked; darker is more. */
export function heatMap(text, words) {
  return el(
    "p",
    { class: "posi-text" },
    heat(text, words).map(({ text: piece, heat: share }) =>
      share > FAINT
        ? el("mark", { class: "posi-heat", style: { "--posi-heat": `${Math.round(12 + share * 46)}%` } }, piece)
        : piece,
    ),
  );
}
