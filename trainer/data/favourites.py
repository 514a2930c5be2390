"""Words that a rewriter brings in everywhere, as seen in its greedy answers, made dear for what it is to learn next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..rewards.faults import new_words
from ..rewards.protocol import Reward, RewardBatch

FEWEST = 50
"""Shares are taken of at least so many prompts: of the first few, one word is a large share."""


class Favourites:
    """`reward`, less `price` times the shares of greedy rewrites that bring in each new word of a text, at most 1.

    The reward's own term `overused` compares the answers of a batch, and an answer that is chosen by itself has none
    to be compared with. `rows` are those of a journal that is gone on with; an empty `greedy` counts as a prompt.
    """

    def __init__(self, reward: Reward, price: float, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self._reward = reward
        self._price = price
        self._counts: Counter[str] = Counter()
        self._prompts = 0
        for row in rows:
            self.add(row)

    def add(self, row: Mapping[str, Any]) -> None:
        """Count the new words of one journal row's greedy rewrite."""
        self._prompts += 1
        self._counts.update(new_words(row["toxic"], row.get("greedy", "")))

    def share(self, original: str, rewrite: str) -> float:
        """The sum over the new words of `rewrite`, in [0, 1]."""
        known = max(self._prompts, FEWEST)
        return min(sum(self._counts[word] for word in new_words(original, rewrite)) / known, 1.0)

    def __call__(self, originals: Sequence[str], rewrites: Sequence[str]) -> RewardBatch:
        judged = self._reward(originals, rewrites)
        shares = np.array([self.share(a, b) for a, b in zip(originals, rewrites, strict=True)], np.float32)
        return replace(judged, scores=judged.scores - np.float32(self._price) * shares)
