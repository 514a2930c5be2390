/** The sidebar tab: try a prompt, this session's verdicts, the model. */

import { percent } from "../lib/risk.js";
import { modelState, store } from "../lib/state.js";
import { debounced, latest } from "../lib/timing.js";
import { el } from "./element.js";
import { heatMap, riskBars } from "./risk.js";
import { diff, head, verdictCard } from "./verdict.js";

const WAIT = 250;
const STRICTNESS = ["relaxed", "standard", "strict"];

/** Draws the tab into `root`; the answer takes it down again. `state` outlives the tab. */
export function sidebar(root, { t, posi, state = store(), events }) {
  const ask = latest((text, policy) => posi.check(text, policy));
  const score = debounced(async () => {
    const { text, strictness } = state.get();
    if (!text.trim()) return;
    const answer = await ask(text, strictness);
    if (!answer) return;
    if (answer.error) state.send({ type: "failed", error: answer.error.message });
    else state.send({ type: "scored", text, risk: answer.value.risk, flagged: answer.value.flagged });
  }, WAIT);
  const attempt = async (action) => {
    try {
      await action();
    } catch (error) {
      state.send({ type: "failed", error: error.message || t("offline") });
    }
  };
  const refresh = () =>
    attempt(async () => {
      const [history, model] = await Promise.all([posi.history(), posi.status()]);
      state.send({ type: "history", history });
      state.send({ type: "model", model });
    });
  const rewrite = () =>
    attempt(async () => {
      const { text, strictness, busy } = state.get();
      if (busy || !text.trim()) return;
      score.cancel();
      state.send({ type: "rewriting" });
      state.send({ type: "rewritten", verdict: await posi.rewrite(text, strictness) });
      await refresh();
    });
  const setModel = (name) => attempt(async () => state.send({ type: "model", model: await posi[name]() }));
  const clear = () => attempt(async () => state.send({ type: "history", history: await posi.clearHistory() }));

  const form = tryForm({ t, state, score, rewrite });
  const result = el("div", { "aria-live": "polite" });
  const history = el("div", {});
  const model = el("div", {});
  root.replaceChildren(
    el(
      "div",
      { class: "posi posi-sidebar" },
      section(t("tryTitle"), form.element, result),
      section(t("modelTitle"), model),
      section(t("historyTitle"), history),
    ),
  );
  const draw = (now) => {
    form.draw(now);
    result.replaceChildren(...resultParts(now, t));
    model.replaceChildren(...modelParts(now, t, setModel));
    history.replaceChildren(...historyParts(now, t, clear));
  };
  const stop = state.subscribe(draw);
  draw(state.get());
  refresh();
  events?.addEventListener("execution_success", refresh);
  events?.addEventListener("execution_error", refresh);
  return () => {
    stop();
    score.cancel();
    events?.removeEventListener("execution_success", refresh);
    events?.removeEventListener("execution_error", refresh);
  };
}

function section(title, ...children) {
  return el("section", { class: "posi-section" }, el("h3", {}, title), ...children);
}

function tryForm({ t, state, score, rewrite }) {
  const text = el("textarea", {
    class: "posi-input",
    rows: 5,
    maxlength: 20000,
    spellcheck: "false",
    placeholder: t("tryPlaceholder"),
    "aria-label": t("tryTitle"),
    oninput: () => {
      state.send({ type: "typed", text: text.value });
      score();
    },
    onkeydown: (event) => {
      // The canvas listens for keys on the whole page.
      event.stopPropagation();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        rewrite();
      }
    },
  });
  text.value = state.get().text;
  const strictness = el(
    "select",
    {
      class: "posi-select",
      "aria-label": t("strictness"),
      onchange: () => {
        state.send({ type: "strictness", strictness: strictness.value });
        score.now();
      },
    },
    STRICTNESS.map((name) => el("option", { value: name }, t(name))),
  );
  strictness.value = state.get().strictness;
  const button = el("button", { class: "posi-button posi-primary", onclick: rewrite });
  return {
    element: el("div", { class: "posi-form" }, text, el("div", { class: "posi-row" }, strictness, button)),
    draw(now) {
      button.textContent = now.busy ? t("rewriting") : t("rewriteButton");
      button.disabled = now.busy || !now.text.trim();
    },
  };
}

function resultParts(now, t) {
  const parts = [];
  if (now.error) parts.push(el("p", { class: "posi-error" }, now.error));
  if (now.verdict) {
    parts.push(verdictCard(now.verdict, t, { most: 7 }));
    if (now.verdict.text) parts.push(copyButton(now.verdict.text, t));
  } else if (now.risk && now.text.trim()) {
    const word = now.flagged ? t("overLimit") : t("underLimit");
    parts.push(
      el(
        "div",
        { class: "posi-card" },
        el(
          "div",
          { class: "posi-head" },
          el("span", { class: "posi-title" }, t("riskTitle", { value: percent(now.risk.overall) })),
          el("span", { class: `posi-badge posi-badge-${now.flagged ? "block" : "pass"}` }, word),
        ),
        heatMap(now.text, now.risk.words),
        riskBars(null, now.risk, t, { most: 7 }),
      ),
    );
  }
  return parts;
}

function copyButton(text, t) {
  const button = el("button", { class: "posi-button" }, t("copy"));
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = t("copied");
  });
  return button;
}

function modelParts(now, t, setModel) {
  const word = modelState(now.model);
  const parts = [
    el(
      "div",
      { class: "posi-row" },
      el("span", { class: `posi-dot posi-dot-${word}` }),
      el("span", { class: "posi-grow" }, t(word)),
      word === "unloaded" ? el("button", { class: "posi-button", onclick: () => setModel("load") }, t("load")) : null,
      word === "loaded" ? el("button", { class: "posi-button", onclick: () => setModel("unload") }, t("unload")) : null,
    ),
  ];
  if (word === "missing") parts.push(el("pre", { class: "posi-command" }, now.model.install));
  return parts;
}

function historyParts(now, t, clear) {
  if (!now.history.length) return [el("p", { class: "posi-quiet" }, t("historyEmpty"))];
  const entries = now.history.slice(0, 50).map((verdict) =>
    el(
      "details",
      { class: "posi-entry" },
      el("summary", {}, head(verdict, t), el("span", { class: "posi-preview" }, preview(verdict))),
      diff(verdict, t),
      verdict.reason ? el("p", { class: "posi-reason" }, verdict.reason) : null,
      riskBars(verdict.risk_before, verdict.risk_after, t, { most: 3 }),
    ),
  );
  return [el("div", { class: "posi-entries" }, entries), el("button", { class: "posi-button", onclick: clear }, t("clear"))];
}

function preview(verdict) {
  return verdict.text || verdict.original || "";
}
