"""One prompt through POSI from inside a node: policy, floor, progress, cancelling, record."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..posi_core.errors import CancelledError, ModelFileError
from ..posi_core.models import find
from ..posi_core.policy import PRESETS, OnBlock, Policy, load_policy
from ..posi_core.safe_prompt import ModelChoice
from ..posi_core.safe_prompt.wording import changes_between
from ..posi_core.service import service
from ..posi_core.verdict import Verdict
from . import host, redaction, settings
from .missing import hint

ON_BLOCK: dict[str, OnBlock] = {"stop": "raise", "neutral": "replace", "empty": "empty"}
"""What the node's menu says -> what the policy calls it."""

CONTEXT_BYTES = 256 * 1024 * 1024
"""Room for the context and scratch memory of a small model, beside its weights."""


def safe(
    text: str,
    *,
    strictness: str,
    on_block: str,
    policy: Policy | None = None,
    model: ModelChoice | None = None,
) -> Verdict:
    """The verdict on one prompt in ComfyUI's syntax, under the node's policy and the server's floor.

    Raises ComfyUI's interruption when the user stopped the run, PolicyError for a policy that cannot be used.
    """
    chosen = dataclasses.replace(policy or load_policy(strictness), on_block=ON_BLOCK[on_block])
    _make_room(model)
    report = host.progress()
    try:
        verdict = _rewrite(text, chosen, model, report)
        floor = _floor_above(None if policy is not None else strictness)
        if floor is not None:
            verdict = _under_floor(
                verdict, dataclasses.replace(floor, on_block=chosen.on_block), model, report
            )
    except CancelledError:
        host.raise_if_interrupted()
        raise
    host.raise_if_interrupted()
    verdict = hint(verdict)
    if verdict.failed:
        _count_fault()
    service().record(verdict, source="comfyui")
    return verdict


@dataclass(frozen=True)
class Answers:
    """The verdicts on the texts of one input; `batch`: they came as a list. `stopped` is why the run must stop."""

    verdicts: tuple[Verdict, ...]
    batch: bool
    stopped: str | None


def safe_texts(
    value: object,
    hidden: Any,
    *,
    strictness: str,
    on_block: str,
    policy: Policy | None,
    model: ModelChoice | None,
) -> Answers:
    """`safe` for every text of an input, noted for the metadata of what is saved. `hidden` are the node's own."""
    texts, batch = texts_of(value)
    verdicts = tuple(
        safe(text, strictness=strictness, on_block=on_block, policy=policy, model=model) for text in texts
    )
    redaction.remember(verdicts, hidden.dynprompt, hidden.unique_id)
    blocked = [verdict.reason for verdict in verdicts if verdict.blocked]
    return Answers(verdicts, batch, blocked[0] if blocked and on_block == "stop" else None)


def identity(strictness: str) -> str:
    """What else than its inputs a node's answer hangs on: policy, model files, the server's floor.

    Reads small files only and loads no model, since ComfyUI asks before every run. Raises as `settings.current`.
    """
    floor = settings.current().floor()
    parts = [load_policy(strictness).identity, floor.identity if floor else "no floor", f"{_faults} faults"]
    for role in ("rewriter", "risk", "encoder"):
        try:
            stat = find(role).stat()
            parts.append(f"{role}:{stat.st_size}:{stat.st_mtime_ns}")
        except ModelFileError:
            parts.append(f"{role}:missing")
    return "|".join(parts)


_faults = 0


def _count_fault() -> None:
    """A prompt that could not be handled is tried again at the next run: ComfyUI must not keep that answer."""
    global _faults
    _faults += 1


def texts_of(value: object) -> tuple[list[str], bool]:
    """The texts of an input: one, or those of a Python list (some packs send a batch so). The flag: was a list."""
    batch = isinstance(value, (list, tuple))
    items: Sequence[object] = value if isinstance(value, (list, tuple)) else [value]
    return ["" if item is None else str(item) for item in items], batch


def _rewrite(
    text: str, policy: Policy, model: ModelChoice | None, report: Callable[[str, float], None]
) -> Verdict:
    prompter = service().prompter(policy, model)
    return prompter.rewrite(text, syntax="comfyui", cancelled=host.interrupted, on_progress=report)


def _floor_above(strictness: str | None) -> Policy | None:
    """The server's floor where it may be stricter than the node's policy; None for `strictness`: not a preset."""
    current = settings.current()
    both = strictness in PRESETS and current.policy in PRESETS
    if both and PRESETS.index(str(strictness)) >= PRESETS.index(current.policy):
        return None
    return current.floor()


def _under_floor(
    first: Verdict, floor: Policy, model: ModelChoice | None, report: Callable[[str, float], None]
) -> Verdict:
    second = _rewrite(first.text, floor, model, report)
    if second.action == "pass":
        return first
    blocked = second.blocked
    return dataclasses.replace(
        second,
        original=first.original,
        risk_before=first.risk_before,
        changes=() if blocked else changes_between(first.original, second.text),
        seconds=first.seconds + second.seconds,
    )


def _make_room(model: ModelChoice | None) -> None:
    """Before a load that may go to the GPU: without a number of layers a CUDA build of llama.cpp puts all there."""
    if not host.has_gpu() or (model is not None and (model.base_url or model.gpu_layers == 0)):
        return
    started = service().prompter("standard", model).parts.started()
    if started is None or not started.health().loaded:
        size = find("rewriter", model.path if model else None).stat().st_size
        host.make_room(int(size * 1.25) + CONTEXT_BYTES)
