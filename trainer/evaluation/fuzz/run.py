"""Mutated prompts through `SafePrompter`, and what must hold for every one of them."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ....posi_core.errors import PosiError
from ....posi_core.policy import Policy
from ....posi_core.risk import Scorer
from ....posi_core.safe_prompt import Parts, SafePrompter
from ....posi_core.similarity import Encoder
from .hostile import HostileRewriter, RememberingScorer
from .mutate import mutated_prompts

KEPT_FAULTS = 20


@dataclass
class FuzzReport:
    """`faults` holds the first 20: what was wrong, the syntax, and the prompt as Python's ascii() writes it."""

    prompts: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    over_threshold: int = 0
    changed_pass: int = 0
    raw_in_block: int = 0
    internal_errors: int = 0
    exceptions: int = 0
    faults: list[tuple[str, str, str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, with the verdict `clean`."""
        return {**vars(self), "actions": dict(self.actions), "clean": self.clean}

    @property
    def clean(self) -> bool:
        return not (
            self.over_threshold
            or self.changed_pass
            or self.raw_in_block
            or self.internal_errors
            or self.exceptions
        )


class _HostileParts(Parts):
    def __init__(self, scorer: Scorer, encoder: Encoder, prompts: Sequence[str]) -> None:
        super().__init__(scorer=scorer, encoder=encoder)
        self._hostile = HostileRewriter(prompts)

    def rewriter(self) -> Any:
        return self._hostile


def fuzz(
    seeds: Sequence[str],
    count: int,
    *,
    policy: Policy,
    scorer: Scorer,
    encoder: Encoder,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> FuzzReport:
    """Run `count` mutated prompts. Every verdict is checked by judging its text afresh, as its host reads it."""
    remembering = RememberingScorer(scorer)
    report = FuzzReport()
    with SafePrompter(policy, parts=_HostileParts(remembering, encoder, seeds), cache=False) as prompter:
        for text, syntax in mutated_prompts(seeds, count, seed=seed):
            _one(prompter, text, syntax, report)
            report.prompts += 1
            if progress is not None:
                progress(report.prompts)
    return report


def _one(prompter: SafePrompter, text: str, syntax: str, report: FuzzReport) -> None:
    reads = cast(Any, syntax)
    try:
        verdict = prompter.rewrite(text, syntax=reads)
        report.actions[verdict.action] += 1
        if verdict.action == "block":
            if "Internal error" in verdict.reason:
                report.internal_errors += 1
                _fault(report, verdict.reason, syntax, text)
            if verdict.text:
                report.raw_in_block += 1
                _fault(report, "a block with a text", syntax, text)
            return
        if verdict.action == "pass" and verdict.text != text:
            report.changed_pass += 1
            _fault(report, "a pass that changed the prompt", syntax, text)
        if prompter.judge(verdict.text, syntax=reads).flagged:
            report.over_threshold += 1
            _fault(report, f"{verdict.action} over the threshold", syntax, text)
    except PosiError as error:
        report.actions[type(error).__name__] += 1
    except Exception as error:
        report.exceptions += 1
        where = traceback.extract_tb(error.__traceback__)[-1]
        _fault(report, f"{type(error).__name__} at {where.name}:{where.lineno}", syntax, text)


def _fault(report: FuzzReport, what: str, syntax: str, text: str) -> None:
    if len(report.faults) < KEPT_FAULTS:
        report.faults.append((what, syntax, ascii(text)))
