import assert from "node:assert/strict";
import { test } from "node:test";

import { runs, verdictRuns } from "../../web/lib/diff.js";

const change = (start, end, new_start, new_end) => ({ start, end, new_start, new_end });

test("kept, removed and added words follow each other", () => {
  assert.deepEqual(runs("a bloody knight", "a shining knight", [change(2, 8, 2, 9)]), [
    { kind: "same", text: "a " },
    { kind: "removed", text: "bloody " },
    { kind: "added", text: "shining" },
    { kind: "same", text: " knight" },
  ]);
});

test("pure insertions and deletions need no space between", () => {
  assert.deepEqual(runs("a b", "a b c", [change(3, 3, 3, 5)]), [
    { kind: "same", text: "a b" },
    { kind: "added", text: " c" },
  ]);
  assert.deepEqual(runs("a b c", "a c", [change(2, 4, 2, 2)]), [
    { kind: "same", text: "a " },
    { kind: "removed", text: "b " },
    { kind: "same", text: "c" },
  ]);
});

test("a word that went keeps its distance from the word after it, not from a comma", () => {
  const text = (found) => found.map((run) => run.text).join("|");
  assert.equal(text(runs("a bloody knife", "a knife", [change(2, 8, 2, 2)])), "a |bloody |knife");
  assert.equal(text(runs("a knife bloody, old", "a knife, old", [change(8, 14, 7, 7)])), "a knife|bloody|, old");
});

test("offsets count code points, as Python does", () => {
  assert.deepEqual(runs("🦊 bloody", "🦊 shining", [change(2, 8, 2, 9)]), [
    { kind: "same", text: "🦊 " },
    { kind: "removed", text: "bloody " },
    { kind: "added", text: "shining" },
  ]);
});

test("kept and added runs always spell the new text", () => {
  const text = "the shining knight, at dawn";
  const found = runs("a bloody knight", text, [change(0, 8, 0, 11), change(15, 15, 18, 27)]);
  const spelled = found.filter((run) => run.kind !== "removed").map((run) => run.text);
  assert.equal(spelled.join(""), text);
});

test("a pass shows its text, a block the whole raw prompt struck out", () => {
  assert.deepEqual(verdictRuns({ action: "pass", text: "a cat", original: "a cat" }), [
    { kind: "same", text: "a cat" },
  ]);
  assert.deepEqual(verdictRuns({ action: "block", text: "", original: "a gun" }), [
    { kind: "removed", text: "a gun" },
  ]);
  assert.deepEqual(verdictRuns({ action: "block", text: "a hill", original: "a gun" }), [
    { kind: "removed", text: "a gun" },
    { kind: "added", text: " a hill" },
  ]);
});

test("a verdict without the raw prompt shows the safe side alone", () => {
  assert.deepEqual(verdictRuns({ action: "rewrite", text: "a hill" }), [{ kind: "same", text: "a hill" }]);
  assert.deepEqual(verdictRuns({ action: "block", text: "" }), []);
});
