import assert from "node:assert/strict";
import { test } from "node:test";

import { debounced, duration, latest } from "../../web/lib/timing.js";

function clock() {
  const timers = new Map();
  let next = 1;
  return {
    setTimeout: (action) => (timers.set(next, action), next++),
    clearTimeout: (timer) => timers.delete(timer),
    pass() {
      const due = [...timers.values()];
      timers.clear();
      due.forEach((action) => action());
    },
  };
}

test("only the last of many calls acts, after the pause", () => {
  const time = clock();
  const seen = [];
  const act = debounced((value) => seen.push(value), 250, time);
  act(1);
  act(2);
  assert.deepEqual(seen, []);
  time.pass();
  assert.deepEqual(seen, [2]);
  time.pass();
  assert.deepEqual(seen, [2]);
});

test("now acts at once and forgets what was waiting; cancel forgets", () => {
  const time = clock();
  const seen = [];
  const act = debounced((value) => seen.push(value), 250, time);
  act(1);
  act.now(2);
  time.pass();
  assert.deepEqual(seen, [2]);
  act(3);
  act.cancel();
  time.pass();
  assert.deepEqual(seen, [2]);
});

test("an old answer that comes late is dropped", async () => {
  const waiting = [];
  const ask = latest((value) => new Promise((resolve) => waiting.push(() => resolve(value))));
  const first = ask("old");
  const second = ask("new");
  waiting[1]();
  waiting[0]();
  assert.equal(await first, null);
  assert.deepEqual(await second, { value: "new" });
});

test("a failure comes back as an error, an old one not at all", async () => {
  const ask = latest(async (fail) => {
    if (fail) throw new Error("no");
    return 1;
  });
  const old = ask(true);
  assert.deepEqual(await ask(false), { value: 1 });
  assert.equal(await old, null);
  assert.equal((await ask(true)).error.message, "no");
});

test("durations are short", () => {
  assert.deepEqual([0.0004, 0.045, 1.234, 12.3, NaN].map(duration), ["1 ms", "45 ms", "1.2 s", "12 s", ""]);
});
