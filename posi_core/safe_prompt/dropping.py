"""The last resort: taking out the words that carry the risk, one more each time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..verdict import WordRisk
from .wording import without_words

if TYPE_CHECKING:
    from ..risk import Scorer

MAX_DROPPED = 12
"""At most so many words are taken out of one prompt; a text that needs more is blocked."""


def with_words_taken_out(
    segments: Sequence[str], scorer: Scorer, terms: re.Pattern[str] | None
) -> list[list[str]]:
    """`segments` without their 1, 2, 3 … riskiest words; what matches `terms` goes first. Raises ScorerError."""
    risks = scorer.score(list(segments), words=True)
    ranked = sorted(
        ((index, word) for index, risk in enumerate(risks) for word in risk.words),
        key=lambda pair: (-pair[1].share * risks[pair[0]].overall, pair[0], pair[1].start),
    )
    ranked = [*_matches(segments, terms), *ranked][:MAX_DROPPED]
    found = []
    for count in range(1, len(ranked) + 1):
        texts = list(segments)
        for index in {index for index, _ in ranked[:count]}:
            texts[index] = without_words(segments[index], [word for i, word in ranked[:count] if i == index])
        found.append(texts)
    return found


def _matches(segments: Sequence[str], terms: re.Pattern[str] | None) -> list[tuple[int, WordRisk]]:
    if terms is None:
        return []
    return [
        (index, WordRisk(match.group(), match.start(), match.end(), 1.0))
        for index, text in enumerate(segments)
        for match in terms.finditer(text)
    ]
