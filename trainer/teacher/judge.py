"""Which of a teacher's answers may become training pairs, and why the others may not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..rewards import faults

if TYPE_CHECKING:
    from ...posi_core.risk import Scorer
    from ...posi_core.similarity import Encoder

_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able)|i can(?:no|')t\b|i won't\b|as an ai\b|"
    r"cannot (?:assist|help|comply|fulfil)|"
    r"can't (?:assist|help|comply|fulfil)|against (?:my|our) (?:guidelines|policy)|not appropriate)",
    re.IGNORECASE,
)
_WRAPPING = re.compile(r"^\s*(?:rewritten prompt|prompt|answer|output)\s*:\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Standard:
    """A clean twin has predicted risk at most `risk`, and similarity to the toxic prompt at least `similarity`."""

    risk: float = 0.35
    similarity: float = 0.6


def clean(answer: str) -> str:
    """The prompt inside an answer: without a label, quotes or line breaks around it."""
    text = _WRAPPING.sub("", answer.strip()).strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`":
        text = text[1:-1].strip()
    return " ".join(text.split())


def judge(
    toxic: Sequence[str], answers: Sequence[str], scorer: Scorer, encoder: Encoder, standard: Standard
) -> list[str]:
    """For each answer (already `clean`ed) "" when it may be used, else the reason as a short phrase."""
    risks = scorer.score([answer or "." for answer in answers])
    reasons = []
    for before, after, risk in zip(toxic, answers, risks, strict=True):
        if faults.empty(after):
            reasons.append("empty")
        elif _REFUSAL.search(after) and not _REFUSAL.search(before):
            reasons.append("refusal")
        elif faults.chatty(after):
            reasons.append("chatter")
        elif faults.runaway(before, after) > 0.3:
            reasons.append("runaway")
        elif risk.overall > standard.risk:
            reasons.append("unsafe")
        elif encoder.similarity(before, [after])[0] < standard.similarity:
            reasons.append("unrelated")
        else:
            reasons.append("")
    return reasons
