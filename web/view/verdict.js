/** One verdict: what became of the prompt, word by word, the risks, the reason, the time. */

import { verdictRuns } from "../lib/diff.js";
import { percent } from "../lib/risk.js";
import { duration } from "../lib/timing.js";
import { el } from "./element.js";
import { riskBars } from "./risk.js";

const TAGS = { same: "span", removed: "del", added: "ins" };

/** The card of a verdict; `most` is the number of categories with a bar. */
export function verdictCard(verdict, t, { most = 3 } = {}) {
  return el(
    "div",
    { class: "posi-card" },
    head(verdict, t),
    diff(verdict, t),
    verdict.action !== "pass" && verdict.reason ? el("p", { class: "posi-reason" }, verdict.reason) : null,
    riskBars(verdict.risk_before, verdict.action === "pass" ? null : verdict.risk_after, t, { most }),
  );
}

/** The coloured word for what was done, and beside it the time and how much of the meaning is left. */
export function head(verdict, t) {
  const facts = [duration(verdict.seconds)];
  if (verdict.cached) facts.push(t("cached"));
  if (verdict.action === "rewrite" && Number.isFinite(verdict.similarity)) {
    facts.push(t("similarity", { value: percent(verdict.similarity) }));
  }
  return el(
    "div",
    { class: "posi-head" },
    el("span", { class: `posi-badge posi-badge-${verdict.action}` }, t(verdict.action)),
    el("span", { class: "posi-facts" }, facts.filter(Boolean).join(" · ")),
  );
}

/** The text with removed words struck out and new ones marked. */
export function diff(verdict, t) {
  const pieces = verdictRuns(verdict).map(({ kind, text }) => el(TAGS[kind], { class: `posi-${kind}` }, text));
  if (verdict.action === "block" && !verdict.text) {
    pieces.push(el("span", { class: "posi-quiet" }, ` ${t("nothingGoesOn")}`));
  }
  return el("p", { class: "posi-text" }, pieces);
}
