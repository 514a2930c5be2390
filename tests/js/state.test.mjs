import assert from "node:assert/strict";
import { test } from "node:test";

import { START, modelState, reduce, store } from "../../web/lib/state.js";

const after = (...events) => events.reduce(reduce, START);
const risk = { overall: 0.9, categories: {}, words: [] };

test("typing drops the verdict and the old error", () => {
  const state = after(
    { type: "typed", text: "a" },
    { type: "rewritten", verdict: { text: "b" } },
    { type: "failed", error: "no" },
    { type: "typed", text: "ab" },
  );
  assert.equal(state.verdict, null);
  assert.equal(state.error, "");
});

test("an answer about another text changes nothing", () => {
  const typed = after({ type: "typed", text: "ab" });
  assert.equal(reduce(typed, { type: "scored", text: "a", risk, flagged: true }), typed);
  assert.equal(reduce(typed, { type: "scored", text: "ab", risk, flagged: true }).flagged, true);
});

test("an emptied text has no risk", () => {
  const state = after(
    { type: "typed", text: "a" },
    { type: "scored", text: "a", risk, flagged: true },
    { type: "typed", text: " " },
  );
  assert.equal(state.risk, null);
});

test("a rewrite is busy until it ends either way", () => {
  assert.equal(after({ type: "rewriting" }).busy, true);
  assert.equal(after({ type: "rewriting" }, { type: "rewritten", verdict: {} }).busy, false);
  assert.equal(after({ type: "rewriting" }, { type: "failed", error: "no" }).busy, false);
});

test("another strictness asks for another verdict", () => {
  const state = after({ type: "rewritten", verdict: {} }, { type: "strictness", strictness: "strict" });
  assert.deepEqual([state.strictness, state.verdict], ["strict", null]);
});

test("an unknown event is a mistake", () => {
  assert.throws(() => reduce(START, { type: "nonsense" }), /nonsense/);
});

test("a store tells its listeners of changes only, until they stop", () => {
  const seen = [];
  const state = store();
  const stop = state.subscribe((now) => seen.push(now.text));
  state.send({ type: "typed", text: "a" });
  state.send({ type: "typed", text: "a" });
  stop();
  state.send({ type: "typed", text: "b" });
  assert.deepEqual(seen, ["a"]);
});

test("the model is missing, loaded or unloaded", () => {
  assert.equal(modelState(null), "unloaded");
  assert.equal(modelState({ install: "pip install x", engines: [] }), "missing");
  assert.equal(modelState({ install: null, engines: [{ loaded: false }, { loaded: true }] }), "loaded");
  assert.equal(modelState({ install: null, engines: [{ loaded: false }] }), "unloaded");
});
