"""Which words carry the risk: each word is left out in turn, and the fall of the risk is its share."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..normalize import normalize
from ..verdict import WordRisk

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
MAX_VARIANTS = 64
"""Texts with more words leave out several neighbours at a time."""
BENIGN_LOGIT = -3.0
"""Logit of a risk nobody minds (0.05): what remains when no word carries any."""


@dataclass(frozen=True)
class Span:
    """A stretch of neighbouring words, `start` and `end` in characters of the text scored."""

    start: int
    end: int


def spans(text: str) -> list[Span]:
    """The words of `text`, grouped evenly so that there are at most MAX_VARIANTS groups."""
    found = [Span(match.start(), match.end()) for match in _WORD.finditer(text)]
    size = math.ceil(len(found) / MAX_VARIANTS)
    if size <= 1:
        return found
    groups = [found[at : at + size] for at in range(0, len(found), size)]
    return [Span(group[0].start, group[-1].end) for group in groups]


def without(text: str, parts: Sequence[Span]) -> list[str]:
    """`text` without each of `parts` in turn."""
    return [f"{text[: part.start]} {text[part.end :]}".strip() for part in parts]


def shares(whole: float, left: Sequence[float]) -> list[float]:
    """Share of each word, from the overall risk of the text and of the text without that word.

    Falls are measured in logits, where a second risky word does not hide the first. Their sum is at most 1,
    and less where the words do not explain the risk one by one or where there is hardly any risk.
    """
    whole_logit = _logit(whole)
    falls = [max(0.0, whole_logit - _logit(value)) for value in left]
    total = max(sum(falls), whole_logit - BENIGN_LOGIT, 1.0)
    return [fall / total for fall in falls]


def _logit(value: float) -> float:
    inside = min(max(value, 1e-6), 1 - 1e-6)
    return math.log(inside / (1 - inside))


def word_risks(
    text: str, reading: str, parts: Sequence[Span], values: Sequence[float]
) -> tuple[WordRisk, ...]:
    """Words of `text` with their shares, where `parts` are spans of `reading`, one of its readings.

    Spans of the de-obfuscated reading are mapped back to the characters they were read from.
    """
    if reading == text:
        places = [(part.start, part.end) for part in parts]
    else:
        plain = normalize(text)
        if plain.text != reading:
            return ()
        places = [(plain.offsets[part.start], plain.offsets[part.end - 1] + 1) for part in parts]
    return tuple(
        WordRisk(text[start:end], start, end, value)
        for (start, end), value in zip(places, values, strict=True)
    )
