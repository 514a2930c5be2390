"""What a scorer takes for safety: common words that lower the risk of risky prompts wherever they stand."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...risk.hard_cases import strewn

if TYPE_CHECKING:
    from ....posi_core.risk import Scorer

WORDS, PROBES = 300, 40
"""Their product is the number of judgements."""


def risk_left(
    scorer: Scorer, risky: Sequence[str], captions: Sequence[str], *, seed: int = 0
) -> dict[str, float]:
    """What is left of the mean predicted risk of `PROBES` risky prompts, as a part of it, when a word is put into each
    at a random place: for the commonest `WORDS` words of captions, the most calming first. Empty without prompts.

    A "flower" on the table makes no fight peaceful, so 1 is right. Raises ScorerError.
    """
    if not risky:
        return {}
    choose = random.Random(seed)
    probes = choose.sample(list(risky), min(PROBES, len(risky)))
    times = Counter(word for text in captions for word in set(re.findall(r"[a-z]{3,}", text.lower())))
    words = sorted(times, key=lambda word: (-times[word], word))[:WORDS]

    def total(texts: Sequence[str]) -> float:
        return sum(risk.overall for risk in scorer.score(texts))

    plain = total(probes)
    left = {word: total([strewn(text, [word], choose) for text in probes]) / plain for word in words}
    return dict(sorted(left.items(), key=lambda item: item[1]))
