"""What a picture's metadata says about POSI, and what pasting it restores. The raw prompt only by opt-in."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..posi_core.verdict import Verdict
from .guard import Guard, each
from .render import percent

ACTION = "POSI"
POLICY = "POSI policy"
MODEL = "POSI model"
BEFORE = "POSI risk before"
AFTER = "POSI risk after"
ORIGINAL = "POSI original"
KEYS = (ACTION, POLICY, MODEL, BEFORE, AFTER, ORIGINAL)

# Other extensions keep raw prompts under keys of their own ("ADetailer prompt", "Template").
_PROMPT_KEY = re.compile(r"prompt|template|wildcard", re.IGNORECASE)
_AXIS_VALUES = re.compile(r"([XYZ]) Values")


def write(p: Any, guard: Guard) -> None:
    """Adds POSI's entries to `p.extra_generation_params`, one value an image, found by the image's prompt."""
    params = p.extra_generation_params
    scrub(params, guard)

    def entry(read: Callable[[Verdict], str | None]) -> Callable[..., str | None]:
        def value(prompt_text: str = "", **_: Any) -> str | None:
            verdict = guard.origin(prompt_text)
            return None if verdict is None else read(verdict)

        return value

    def action(prompt_text: str = "", generation_params: Any = None, **_: Any) -> str | None:
        # The one moment when everything that goes into the picture lies together, whoever put it there and when.
        if generation_params is not None:
            scrub(generation_params, guard)
        verdict = guard.origin(prompt_text)
        return None if verdict is None else verdict.action

    params[ACTION] = action
    params[POLICY] = guard.policy_name
    params[MODEL] = entry(lambda verdict: verdict.model or None)
    params[BEFORE] = entry(lambda verdict: _overall(verdict.risk_before))
    params[AFTER] = entry(lambda verdict: _overall(verdict.risk_after))
    if guard.store_original:
        params[ORIGINAL] = entry(lambda verdict: verdict.original if verdict.changed else None)


def erase(p: Any, _: Any = None) -> None:
    """Takes POSI's entries and every raw prompt out of the metadata of a generation that was stopped."""

    def action(generation_params: Any = None, **_: Any) -> str:
        _drop_prompts(generation_params or {})
        return "block"

    params = p.extra_generation_params
    for key in KEYS:
        params.pop(key, None)
    _drop_prompts(params)
    # Some scripts write their entries (the values of an X/Y/Z plot) only after the run was stopped.
    params[ACTION] = action


def scrub(params: dict[str, Any], guard: Guard) -> None:
    """Puts safe text in the place of raw prompts that others wrote into the metadata.

    Keys stay (the host iterates over them); what cannot be made safe becomes None, which the host leaves out.
    """
    for key in list(params):
        value = params[key]
        if key in KEYS or not isinstance(value, (str, list)) or not _carries_prompt(key, params):
            continue
        params[key] = None
        try:
            params[key] = each(value, guard.safe)
        except Exception as error:
            print(f"POSI: {key!r} was left out of the metadata: {type(error).__name__}.")


def sentence(verdict: Verdict) -> str:
    """What happened to one prompt, in a line."""
    before, after = verdict.risk_before, verdict.risk_after
    if verdict.blocked:
        shown = f"used instead: {verdict.text}" if verdict.text else "an empty prompt was used"
        return f"POSI blocked a prompt ({shown}). {verdict.reason}"
    words = "; ".join(
        f"“{change.before.strip()}” → “{change.after.strip()}”"
        for change in verdict.changes[:6]
        if change.before
    )
    more = f" and {len(verdict.changes) - 6} more" if len(verdict.changes) > 6 else ""
    figures = (
        f" Risk {percent(before.overall)} → {percent(after.overall)}, mostly {before.top}."
        if before is not None and after is not None
        else ""
    )
    return f"POSI rewrote the prompt: {words or verdict.text}{more}.{figures}"


def pasted_policy(params: dict[str, Any]) -> str | None:
    """The policy an infotext names."""
    value = params.get(POLICY)
    return value if isinstance(value, str) else None


def _carries_prompt(key: str, params: dict[str, Any]) -> bool:
    if "negative" in key.lower():
        return False
    axis = _AXIS_VALUES.fullmatch(key)
    if axis:
        return "prompt" in str(params.get(f"{axis.group(1)} Type", "")).lower()
    return bool(_PROMPT_KEY.search(key))


def _drop_prompts(params: dict[str, Any]) -> None:
    for key in list(params):
        if isinstance(params[key], (str, list)) and _carries_prompt(key, params):
            params[key] = None


def _overall(risk: Any) -> str | None:
    return None if risk is None else f"{risk.overall:.2f}"
