/** Word-level before and after, as runs of text to draw. Pure: no DOM. */

/**
 * Splits a verdict's two texts into runs.
 *
 * @param {string} original the raw prompt
 * @param {string} text what goes on
 * @param {{start: number, end: number, new_start: number, new_end: number}[]} changes offsets into both texts,
 *   in characters as Python counts them (code points)
 * @returns {{kind: "same" | "removed" | "added", text: string}[]}
 */
export function runs(original, text, changes) {
  const before = Array.from(original);
  const after = Array.from(text);
  const found = [];
  const push = (kind, piece) => {
    if (piece.length) found.push({ kind, text: piece.join("") });
  };
  let at = 0;
  for (const change of changes) {
    push("same", after.slice(at, change.new_start));
    push("removed", before.slice(change.start, change.end));
    push("added", after.slice(change.new_start, change.new_end));
    at = change.new_end;
  }
  push("same", after.slice(at));
  return spaced(found);
}

/** A removed run gets a space before the word that follows it, so that the two do not run together. */
function spaced(found) {
  return found.map((run, index) => {
    const next = found[index + 1]?.text ?? "";
    const joins = run.kind === "removed" && /\S$/.test(run.text) && /^[\p{L}\p{N}(]/u.test(next);
    return joins ? { ...run, text: `${run.text} ` } : run;
  });
}

/** The runs to show for any verdict: a block shows the whole raw prompt as removed. */
export function verdictRuns(verdict) {
  const { original = "", text = "", action, changes = [] } = verdict;
  if (action === "block") {
    const raw = original ? [{ kind: "removed", text: original }] : [];
    return text ? [...raw, { kind: "added", text: original ? ` ${text}` : text }] : raw;
  }
  return changes.length ? runs(original, text, changes) : [{ kind: "same", text }];
}
