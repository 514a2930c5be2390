"""Recall of the gate on obfuscated prompts against plain ones, and what comes out of the pipeline for them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ....posi_core.safe_prompt import SafePrompter
from ....posi_core.syntax import SyntaxName
from ..obfuscate import Obfuscator

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Hidden:
    """One obfuscation. `lost` is plain recall minus recall here, in points (0.01 = one point).

    `leaks` are prompts whose plain form is flagged and whose obfuscated form passed the whole pipeline
    unchanged; `over` are texts that came out although the gate, asked afresh, flags them.
    """

    name: str
    recall: float
    lost: float
    leaks: int
    over: int
    piped: int


@dataclass(frozen=True)
class ObfuscationReport:
    """`plain`: share of the risky prompts flagged as they stand; `benign`: share of the benign ones flagged,
    `benign_raw` the same when the scorer reads only the text itself, without undoing obfuscation."""

    policy: str
    risky: int
    plain: float
    benign: Mapping[str, float]
    benign_raw: Mapping[str, float]
    hidden: tuple[Hidden, ...]


def evaluate_obfuscation(
    risky: Sequence[str],
    benign: Mapping[str, Sequence[str]],
    obfuscators: Mapping[str, Obfuscator],
    prompter: SafePrompter,
    raw_flagged: Callable[[str], bool],
    *,
    piped: int,
    syntax_of: Mapping[str, SyntaxName] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> ObfuscationReport:
    """Score everything; run the first `piped` prompts of every obfuscation through the whole pipeline.

    `raw_flagged(text)` judges a text without undoing obfuscation. `syntax_of` names the host syntax of
    obfuscators that hide words in syntax.
    """
    report = progress or (lambda label, done, total: None)
    flagged = [prompter.judge(text).flagged for text in _told(risky, "plain", report)]
    plain = sum(flagged) / len(risky)
    hidden = []
    for name, obfuscate in obfuscators.items():
        chance = random.Random(f"{seed} {name}")
        texts = [obfuscate(text, chance) for text in risky]
        syntax: SyntaxName = (syntax_of or {}).get(name, "plain")
        seen = [prompter.judge(text, syntax=syntax).flagged for text in _told(texts, name, report)]
        leaks = over = 0
        for text, was_flagged in zip(
            _told(texts[:piped], f"{name}, pipeline", report), flagged, strict=False
        ):
            verdict = prompter.rewrite(text, syntax=syntax)
            leaks += verdict.action == "pass" and was_flagged
            over += not verdict.blocked and prompter.judge(verdict.text, syntax=syntax).flagged
        recall = sum(seen) / len(risky)
        hidden.append(Hidden(name, recall, plain - recall, leaks, over, min(piped, len(texts))))
    return ObfuscationReport(
        policy=prompter.policy.identity,
        risky=len(risky),
        plain=plain,
        benign={
            name: sum(prompter.judge(text).flagged for text in _told(texts, name, report)) / len(texts)
            for name, texts in benign.items()
        },
        benign_raw={name: sum(map(raw_flagged, texts)) / len(texts) for name, texts in benign.items()},
        hidden=tuple(hidden),
    )


def _told(texts: Sequence[str], label: str, progress: Progress) -> Iterator[str]:
    for done, text in enumerate(texts, 1):
        yield text
        progress(label, done, len(texts))
