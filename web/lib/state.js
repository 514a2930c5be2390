/** The sidebar's state and everything that can happen to it. Pure: no DOM. */

export const START = Object.freeze({
  text: "",
  strictness: "standard",
  risk: null,
  flagged: false,
  verdict: null,
  busy: false,
  error: "",
  history: [],
  model: null,
});

/** The state after an event; an event of an unknown type is a mistake and throws. */
export function reduce(state, event) {
  switch (event.type) {
    case "typed":
      return event.text === state.text
        ? state
        : { ...state, text: event.text, verdict: null, risk: event.text.trim() ? state.risk : null, error: "" };
    case "strictness":
      return { ...state, strictness: event.strictness, verdict: null };
    case "scored":
      // An answer about a text that is no longer there says nothing.
      return event.text === state.text
        ? { ...state, risk: event.risk, flagged: event.flagged, error: "" }
        : state;
    case "rewriting":
      return { ...state, busy: true, error: "" };
    case "rewritten":
      return { ...state, busy: false, verdict: event.verdict };
    case "failed":
      return { ...state, busy: false, error: event.error };
    case "history":
      return { ...state, history: event.history };
    case "model":
      return { ...state, model: event.model };
    default:
      throw new Error(`Unknown event ${event.type}`);
  }
}

/** Holds a state; `subscribe` calls back after each change and returns how to stop. */
export function store(initial = START) {
  let state = initial;
  const listeners = new Set();
  return {
    get: () => state,
    send(event) {
      const next = reduce(state, event);
      if (next === state) return;
      state = next;
      for (const listener of listeners) listener(state);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** What the status route says about the shipped model, in one word: "missing", "loaded" or "unloaded". */
export function modelState(model) {
  if (!model) return "unloaded";
  if (model.install) return "missing";
  return (model.engines ?? []).some((engine) => engine.loaded) ? "loaded" : "unloaded";
}
