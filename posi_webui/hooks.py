"""Puts safe text everywhere a generation keeps its prompts, or stops it. Knows the host's `p`, imports no host.

Where prompts live: the batch (`prompts`, in place), `p.all_prompts` and `p.all_hr_prompts` (metadata, and the
hires pass, which slices them again), `p.main_prompt` (the grid's metadata), `p.prompt` and `p.hr_prompt` (scripts
that run a second time start from them). Lengths never change.
"""

from __future__ import annotations

from typing import Any

from . import infotext
from .guard import Guard, each

PROMPTS = ("all_prompts", "prompts", "all_hr_prompts", "hr_prompts")
"""What is encoded or stands in the metadata of an image: where one of these is blocked, nothing is generated."""

SOURCES = ("main_prompt", "prompt", "hr_prompt")
"""What only names the prompt (a template before wildcards, the prompt before styles)."""

NEGATIVES = ("all_negative_prompts", "negative_prompts", "all_hr_negative_prompts", "hr_negative_prompts")


def protect(p: Any, prompts: list[str] | None, guard: Guard) -> None:
    """Replaces every prompt of `p` by its safe text and adds the policy's negatives.

    Works on the whole generation at once, so that a blocked prompt of a later batch stops the run before its first
    image. Raises BlockedError or CancelledError and then leaves `p` to `stop`.
    """
    safe = {name: each(getattr(p, name, None), guard.safe) for name in PROMPTS}
    batch = each(prompts, guard.safe)
    first = next((text for text in (batch or safe["all_prompts"] or [""]) if isinstance(text, str)), "")
    for name in SOURCES:
        value = getattr(p, name, None)
        if value:
            safe[name] = each(value, lambda text: guard.safe_or(text, first))
    for name in (*NEGATIVES, "main_negative_prompt"):
        safe[name] = each(getattr(p, name, None), guard.negative)
    for name, value in safe.items():
        _put(p, name, value)
    if prompts is not None:
        prompts[:] = batch
    infotext.write(p, guard)


def stop(p: Any, prompts: list[str] | None, state: Any, reason: str) -> None:
    """Makes sure that nothing is generated from this `p`, and says why. Never raises."""
    for step in (_interrupt, _blank, _no_images, infotext.erase):
        try:
            step(p, state)
        except Exception as error:  # the next step may still stop the run
            print(f"POSI: {step.__name__} failed: {type(error).__name__}: {error}")
    if prompts is not None:
        prompts[:] = [""] * len(prompts)
    message = f"POSI stopped this generation. {reason}"
    print(message)
    _say(p, message)


def report(p: Any, guard: Guard) -> None:
    """Tells the user what was changed, one line for each different prompt."""
    for verdict in guard.verdicts:
        if verdict.action != "pass":
            _say(p, infotext.sentence(verdict))


def _put(p: Any, name: str, value: Any) -> None:
    current = getattr(p, name, None)
    if isinstance(current, list) and isinstance(value, list):
        # In place: the host and other extensions hold the same list under other names.
        current[:] = value
    elif value != current:
        setattr(p, name, value)


def _interrupt(_: Any, state: Any) -> None:
    state.interrupted = True


def _blank(p: Any, _: Any) -> None:
    for name in (*PROMPTS, *SOURCES):
        if getattr(p, name, None):
            _put(p, name, each(getattr(p, name), lambda _: ""))


def _no_images(p: Any, _: Any) -> None:
    # The host leaves its loop where a batch has no prompts, before networks, encoding and sampling. A new list:
    # the one that hooks share keeps its length.
    p.prompts = []
    # A grid of no images is an error in the host, which would hide the reason.
    p.do_not_save_grid = True


def _say(p: Any, text: str) -> None:
    comment = getattr(p, "comment", None)
    if callable(comment):
        comment(text)
