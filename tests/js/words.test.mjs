import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { CATEGORIES } from "../../web/lib/risk.js";
import { ENGLISH, translator, wordsFor } from "../../web/lib/words.js";
import { settings } from "../../web/settings.js";

const locales = new URL("../../locales/", import.meta.url);
const read = (path) => JSON.parse(readFileSync(new URL(path, locales), "utf8"));

test("values are filled in; an unknown key shows itself", () => {
  const t = translator();
  assert.equal(t("position", { index: 1, count: 3 }), "1 of 3");
  assert.equal(t("position", { index: 1 }), "1 of {count}");
  assert.equal(t("nonsense"), "nonsense");
});

test("a language is found by its code or the part before the dash; else English", () => {
  const i18n = { de: { posi: { block: "Gesperrt" } } };
  assert.equal(translator(wordsFor("de-AT", i18n))("block"), "Gesperrt");
  assert.equal(translator(wordsFor("de", i18n))("pass"), ENGLISH.pass);
  assert.equal(translator(wordsFor("fr", i18n))("block"), "Blocked");
  assert.equal(translator(wordsFor(undefined, null))("block"), "Blocked");
});

test("every category has a name", () => {
  for (const name of CATEGORIES) assert.ok(ENGLISH[`category.${name}`]);
});

for (const language of readdirSync(locales)) {
  test(`${language} says everything that English says, with the same values`, () => {
    const values = (text) => (text.match(/\{\w+\}/g) ?? []).sort();
    const words = read(`${language}/main.json`).posi;
    assert.deepEqual(Object.keys(words).sort(), Object.keys(ENGLISH).sort());
    for (const [key, text] of Object.entries(words)) assert.deepEqual(values(text), values(ENGLISH[key]), key);
  });

  test(`${language} names every setting`, () => {
    const known = read(`${language}/settings.json`);
    for (const { id } of settings(null)) assert.ok(known[id.replaceAll(".", "_")]?.name, id);
  });
}

test("what the environment decides is shown and locked", () => {
  const enforcement = { mode: "refuse", strictness: "strict", redact: false, locked: ["POSI.Enforcement.Mode"] };
  const byId = Object.fromEntries(settings(enforcement).map((setting) => [setting.id, setting]));
  assert.equal(byId["POSI.Enforcement.Mode"].defaultValue, "refuse");
  assert.equal(byId["POSI.Enforcement.Mode"].attrs.disabled, true);
  assert.match(byId["POSI.Enforcement.Mode"].tooltip, /environment/);
  assert.equal(byId["POSI.Metadata.Redact"].attrs.disabled, undefined);
});
