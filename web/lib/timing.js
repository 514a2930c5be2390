/** Waiting and ordering: what keeps a page from asking too often and from showing old answers. Pure: no DOM. */

/**
 * A function that runs `action` once calls have stopped for `wait` milliseconds; `.now()` runs it at once and
 * `.cancel()` forgets it. `clock` stands in for the timers in tests.
 */
export function debounced(action, wait, clock = globalThis) {
  let timer = null;
  const cancel = () => {
    if (timer !== null) clock.clearTimeout(timer);
    timer = null;
  };
  const later = (...values) => {
    cancel();
    timer = clock.setTimeout(() => {
      timer = null;
      action(...values);
    }, wait);
  };
  later.now = (...values) => {
    cancel();
    action(...values);
  };
  later.cancel = cancel;
  return later;
}

/**
 * Of many calls to `ask` only the newest counts: `latest(ask)(...)` resolves to {value}, {error}, or to null
 * when a newer call was made meanwhile.
 */
export function latest(ask) {
  let newest = 0;
  return async (...values) => {
    const mine = ++newest;
    try {
      const value = await ask(...values);
      return mine === newest ? { value } : null;
    } catch (error) {
      return mine === newest ? { error } : null;
    }
  };
}

/** Seconds in few characters: "45 ms", "1.2 s". */
export function duration(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return "";
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
}
