import assert from "node:assert/strict";
import { test } from "node:test";

import { heat, level, percent, rows } from "../../web/lib/risk.js";

test("percentages never round a risk away", () => {
  assert.deepEqual([0, 0.001, 0.42, 0.999, 1].map(percent), ["0%", "<1%", "42%", ">99%", "100%"]);
  assert.deepEqual([NaN, -1, undefined].map(percent), ["–", "–", "–"]);
});

test("levels have fixed borders", () => {
  assert.deepEqual([0, 0.249, 0.25, 0.499, 0.5, 1].map(level), ["low", "low", "middle", "middle", "high", "high"]);
  assert.equal(level(NaN), "low");
});

test("rows put the overall risk first and the riskiest category next", () => {
  const before = { overall: 0.8, categories: { hate: 0.1, violence: 0.9, sexual: 0.2 } };
  const after = { overall: 0.05, categories: { hate: 0.02, violence: 0.1, sexual: 0.03 } };
  assert.deepEqual(rows(before, after), [
    { name: "overall", before: 0.8, after: 0.05 },
    { name: "violence", before: 0.9, after: 0.1 },
    { name: "sexual", before: 0.2, after: 0.03 },
    { name: "hate", before: 0.1, after: 0.02 },
  ]);
  assert.deepEqual(rows(null, null), []);
  assert.equal(rows(null, after)[0].before, null);
});

test("the heat map cuts the text without losing a character", () => {
  const text = "🦊 a bloody knight";
  const words = [
    { start: 11, end: 17, share: 0.2 },
    { start: 4, end: 10, share: 0.8 },
  ];
  const found = heat(text, words);
  assert.equal(found.map((piece) => piece.text).join(""), text);
  assert.deepEqual(found, [
    { text: "🦊 a ", heat: 0 },
    { text: "bloody", heat: 1 },
    { text: " ", heat: 0 },
    { text: "knight", heat: 0.25 },
  ]);
});

test("words that overlap or carry nothing do no harm", () => {
  assert.deepEqual(heat("ab", [{ start: 0, end: 2, share: 0 }, { start: 1, end: 2, share: 0 }]), [
    { text: "ab", heat: 0 },
  ]);
  assert.deepEqual(heat("ab", []), [{ text: "ab", heat: 0 }]);
});
