"""Bringing what a search found nearer to the prompt: changes of several rewrites recombined, needless ones undone.

The judge decides what is safe, but not alone: a word that the rewriter changes when it is free stays changed if it is
risky by itself, even where the judge minds it no more between its new neighbours. The policy says from when on
(`undo_below`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from .candidate import Candidate, Rewrites
from .recombining import Weighed, recombinations
from .reverting import Locked, Reversible, least_changed

if TYPE_CHECKING:
    from ..risk import Scorer

RECOMBINED = "recombined"
MOST_SEGMENTS = 8
"""Segments of one prompt that are recombined, since each costs up to 65 judgements of the whole prompt."""

Consider = Callable[[Sequence[Rewrites], str], "list[Candidate | None]"]
"""Judges sets of rewrites and remembers them with their origin; the entry is None for one that cannot be a prompt."""


class RiskyAlone:
    """Which words are risky by themselves, overall or in a category: from `limit` on, or all if that is 0.

    Each word is asked for once. Raises as the scorer does.
    """

    def __init__(self, scorer: Scorer, limit: float) -> None:
        self._scorer = scorer
        self._limit = limit
        self._known: dict[str, bool] = {}

    def __call__(self, words: Sequence[str]) -> Collection[str]:
        if self._limit == 0:
            return words
        plain = {word: word.lower() for word in words if len(word) > 2 and word.isalpha()}
        new = sorted(set(plain.values()) - self._known.keys())
        for word, risk in zip(new, self._scorer.score(new) if new else (), strict=True):
            self._known[word] = max(risk.overall, *risk.categories.values()) >= self._limit
        return {word for word, lower in plain.items() if self._known[lower]}


@dataclass
class Refiner:
    """Works on one prompt. `unchanged` is the prompt itself as a candidate, `free` the greedy rewrite of a rewriter
    that was kept from nothing (None: there was none)."""

    segments: Sequence[str]
    unchanged: Candidate
    consider: Consider
    risky_alone: Locked
    free: Rewrites | None = None

    def recombine(self, found: Sequence[Candidate], start: Candidate) -> None:
        """Consider rewrites put together from the changes of all `found`; `start` gives the other segments.

        Of a single rewrite there is nothing to put together: `take_back` finds what it needs, in less time.
        """
        done = 0
        for index, original in enumerate(self.segments):
            texts = [text for candidate in found if (text := candidate.rewrites[index]) is not None]
            if len(set(texts)) > 1 and done < MOST_SEGMENTS:
                done += 1
                weigh = partial(self._weighed, start, index)
                self._considered(
                    start, index, recombinations(self._base(index, original), texts, weigh), RECOMBINED
                )

    def take_back(self, index: int, best: Candidate) -> None:
        """Consider `best` with fewer of its changes to one segment, as far as it stays under the `accept` limits."""
        rewrite = best.rewrites[index]
        if rewrite is None:
            return

        def worth(texts: Sequence[str]) -> list[float | None]:
            return [
                item.worth if item is not None and item.judgement.accepted else None
                for item in self._considered(best, index, texts, best.origin)
            ]

        original = self.segments[index]
        texts = least_changed(original, rewrite, self._free(index), worth, locked=self.risky_alone)
        self._considered(best, index, texts, best.origin)

    def _weighed(self, rest: Candidate, index: int, texts: Sequence[str]) -> list[Weighed | None]:
        return [
            None if item is None else Weighed(item.judgement.excess, item.similarity)
            for item in self._considered(rest, index, texts, RECOMBINED)
        ]

    def _considered(
        self, rest: Candidate, index: int, texts: Sequence[str], origin: str
    ) -> list[Candidate | None]:
        """`rest` with its segment `index` as each of `texts`."""
        original, rewrites = self.segments[index], rest.rewrites
        sets = [
            (*rewrites[:index], None if text == original else text, *rewrites[index + 1 :]) for text in texts
        ]
        found = self.consider(sets, origin)
        return [
            self.unchanged if all(text is None for text in texts) else item
            for texts, item in zip(sets, found, strict=True)
        ]

    def _free(self, index: int) -> str | None:
        """The free rewrite of a segment; a free rewriter that leaves it alone locks nothing."""
        if self.free is None:
            return None
        text = self.free[index]
        return self.segments[index] if text is None else text

    def _base(self, index: int, original: str) -> str:
        """The segment with those changes of the free rewrite alone that may not be undone."""
        free = self._free(index)
        if free is None or free == original:
            return original
        both = Reversible(original, free, free, locked=self.risky_alone)
        return both.without(range(both.changes))
