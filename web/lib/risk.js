/** Risk values as rows and shades to draw. Pure: no DOM. */

export const CATEGORIES = [
  "hate",
  "harassment",
  "violence",
  "self-harm",
  "sexual",
  "shocking",
  "illegal activity",
];

/** A probability as a whole percentage; never "0%" for what is above nothing, nor "100%" for what is below all. */
export function percent(value) {
  if (!Number.isFinite(value) || value < 0) return "–";
  if (value > 0 && value < 0.005) return "<1%";
  if (value < 1 && value > 0.995) return ">99%";
  return `${Math.round(value * 100)}%`;
}

/** How alarming a probability is: "low", "middle" or "high". */
export function level(value) {
  if (!(value >= 0.25)) return "low";
  return value < 0.5 ? "middle" : "high";
}

/**
 * Rows of a bar chart: the overall risk first, then every category, the riskiest first.
 *
 * @param {{overall: number, categories: Record<string, number>} | null} before
 * @param {{overall: number, categories: Record<string, number>} | null} after
 * @returns {{name: string, before: number | null, after: number | null}[]}
 */
export function rows(before, after) {
  const any = before ?? after;
  if (!any) return [];
  const value = (risk, name) => risk?.categories?.[name] ?? null;
  const categories = Object.keys(any.categories ?? {}).map((name) => ({
    name,
    before: value(before, name),
    after: value(after, name),
  }));
  const height = (row) => Math.max(row.before ?? 0, row.after ?? 0);
  categories.sort((a, b) => height(b) - height(a));
  return [
    { name: "overall", before: before?.overall ?? null, after: after?.overall ?? null },
    ...categories,
  ];
}

/**
 * A text cut into words with the share of the risk each carries, for a heat map.
 *
 * @param {string} text
 * @param {{start: number, end: number, share: number}[]} words offsets as Python counts them
 * @returns {{text: string, heat: number}[]} heat is 0 for text between words, else relative to the hottest word
 */
export function heat(text, words) {
  const characters = Array.from(text);
  const hottest = Math.max(0, ...words.map((word) => word.share));
  const found = [];
  let at = 0;
  for (const word of [...words].sort((a, b) => a.start - b.start)) {
    if (word.start < at) continue;
    if (word.start > at) found.push({ text: characters.slice(at, word.start).join(""), heat: 0 });
    const share = hottest > 0 ? Math.max(0, word.share) / hottest : 0;
    found.push({ text: characters.slice(word.start, word.end).join(""), heat: share });
    at = word.end;
  }
  if (at < characters.length) found.push({ text: characters.slice(at).join(""), heat: 0 });
  return found;
}
