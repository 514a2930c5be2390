/** What the widgets and the sidebar say. English stands here; other languages come from locales/. Pure: no DOM. */

export const ENGLISH = {
  pass: "Safe as it is",
  rewrite: "Made safe",
  block: "Blocked",
  empty: "Run the workflow to see what happens to this prompt.",
  stale: "Changed since this run",
  cached: "from the cache",
  similarity: "{value} of the meaning kept",
  nothingGoesOn: "Nothing goes on.",
  overall: "overall",
  before: "before",
  after: "after",
  riskTitle: "Risk {value}",
  noWords: "No word stands out.",
  previous: "Previous prompt",
  next: "Next prompt",
  position: "{index} of {count}",
  tryTitle: "Try a prompt",
  tryPlaceholder: "Type a prompt. Ctrl+Enter rewrites it.",
  strictness: "Strictness",
  relaxed: "relaxed",
  standard: "standard",
  strict: "strict",
  rewriteButton: "Rewrite",
  rewriting: "Rewriting…",
  copy: "Copy",
  copied: "Copied",
  overLimit: "over the limit",
  underLimit: "under the limits",
  historyTitle: "This session",
  historyEmpty: "No prompt was judged yet.",
  clear: "Clear",
  modelTitle: "Model",
  loaded: "in memory",
  unloaded: "not in memory; loads by itself when needed",
  missing: "A package is missing. Stop ComfyUI and run:",
  load: "Load",
  unload: "Unload",
  offline: "ComfyUI does not answer.",
  "category.hate": "hate",
  "category.harassment": "harassment",
  "category.violence": "violence",
  "category.self-harm": "self-harm",
  "category.sexual": "sexual",
  "category.shocking": "shocking",
  "category.illegal activity": "illegal activity",
};

/**
 * A translator: `t("position", {index: 1, count: 3})`.
 *
 * @param {Record<string, string>} translations of the chosen language; what is missing is said in English
 */
export function translator(translations = {}) {
  return (key, values = {}) => {
    const pattern = translations[key] ?? ENGLISH[key];
    if (pattern === undefined) return key;
    return pattern.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  };
}

/** The entry of ComfyUI's /i18n answer for a locale such as "zh" or "de-AT"; {} when there is none. */
export function wordsFor(locale, i18n) {
  const found = i18n?.[locale] ?? i18n?.[String(locale ?? "").split("-")[0]];
  return found?.posi ?? {};
}
