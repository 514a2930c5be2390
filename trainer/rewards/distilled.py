"""The reward without images: the gate's own scorer stands in for Q16 and NudeNet, sentence similarity for CLIP."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...posi_core.rewriter.cleaning import same_edges
from ..evaluation.names import NameFinder, harmless_names
from . import faults
from .protocol import RewardBatch, Scores

if TYPE_CHECKING:
    from ...posi_core.risk import Scorer
    from ...posi_core.similarity import Encoder
    from .fluency import Fluency

MOST_BLAMED = 0.04
"""Predicted risk that goes away with a word, from which on `most_blamed` names it."""


@dataclass(frozen=True)
class DistilledWeights:
    """Weights of the parts; each penalty is subtracted, weight times a value in [0, 1].

    `similarity_cap`: similarity above it earns nothing more, as the paper caps CLIP's at 0.31, so that the policy
    is not paid for copying the last risky word. Where the original's own predicted risk is at most `harmless_risk`
    there is no cap, and a rewrite that is safer still earns nothing: no "rusty roof" has to become a sturdy one.
    """

    risk: float = 4.0
    category: float = 1.0
    similarity: float = 3.0
    similarity_cap: float = 0.9
    lost_words: float = 1.0
    lost_names: float = 2.0
    empty: float = 4.0
    runaway: float = 2.0
    chatty: float = 2.0
    praise: float = 2.0
    padding: float = 1.0
    garbled: float = 1.0
    overused: float = 2.0
    disfluent: float = 2.0
    copied_risky: float = 0.5
    copied_from: float = 0.3
    harmless_share: float = 0.02
    harmless_risk: float = 0.1


class DistilledReward:
    """score = similarity * min(cos, cap) - risk * overall - category * worst category - penalties.

    `cos` compares the rewrite with the original; `overall` is the predicted share of inappropriate images, in
    [0, 1], and like the categories the mean over `scorer` and `others`. A word of the original is harmless, and its
    loss is penalised, when leaving it out lowers the predicted risk by less than `harmless_share`; so is that of the
    names that `names` finds and that carry no risk; what reads worse than the original costs where there is a
    language model to tell, `fluency`. Seconds for a batch on a CPU.
    """

    def __init__(
        self,
        scorer: Scorer,
        encoder: Encoder,
        weights: DistilledWeights | None = None,
        *,
        others: Sequence[Scorer] = (),
        names: NameFinder | None = None,
        fluency: Fluency | None = None,
    ) -> None:
        self.scorer = scorer
        self.encoder = encoder
        self.weights = weights or DistilledWeights()
        self.others = tuple(others)
        self.names = names
        self.fluency = fluency
        self._names: dict[str, tuple[str, ...]] = {}
        self._harmless: dict[str, frozenset[str]] = {}
        self._most_blamed: dict[str, tuple[str, ...]] = {}
        self._floors: dict[str, tuple[float, float] | None] = {}

    def __call__(self, originals: Sequence[str], rewrites: Sequence[str]) -> RewardBatch:
        weights = self.weights
        self._find_harmless(originals)
        rewrites = [
            same_edges(b, a) for a, b in zip(originals, rewrites, strict=True)
        ]  # as the rewriter does
        texts = [rewrite if rewrite.strip() else "." for rewrite in rewrites]
        pairs = list(zip(originals, rewrites, strict=True))
        overall, category = _risks(self.scorer, texts)
        floors = [self._floors[text] for text in originals]
        enough = np.array([floor or (0.0, 0.0) for floor in floors], np.float32).T
        judged = [
            np.maximum(found, enough)
            for found in ((overall, category), *(_risks(other, texts) for other in self.others))
        ]
        parts = {
            "risk": overall,
            "category": category,
            "similarity": self._similarity(originals, texts),
            "lost_words": _column(faults.lost_words(self._harmless[a], b) for a, b in pairs),
            "lost_names": _column(faults.lost_names(self._names[a], b) for a, b in pairs),
            "empty": _column(faults.empty(b) for _, b in pairs),
            "runaway": _column(faults.runaway(a, b) for a, b in pairs),
            "chatty": _column(faults.chatty(b) for _, b in pairs),
            "praise": _column(faults.added_praise(a, b) for a, b in pairs),
            "padding": _column(faults.padding(a, b) for a, b in pairs),
            "garbled": _column(faults.garbled(a, b, self.encoder.pieces) for a, b in pairs),
            "overused": _column(faults.overused(originals, rewrites)),
            "disfluent": (
                self.fluency.disfluent(originals, texts) if self.fluency else np.zeros(len(texts), np.float32)
            ),
            "copied_risky": _column(faults.copied(a, b) for a, b in pairs) * (overall > weights.copied_from),
        }
        caps = np.array([weights.similarity_cap if floor is None else 1.0 for floor in floors], np.float32)
        scores = (
            weights.similarity * np.minimum(parts["similarity"], caps)
            - weights.risk * np.mean([risk for risk, _ in judged], axis=0)
            - weights.category * np.mean([worst for _, worst in judged], axis=0)
        )
        for name in (
            "lost_words",
            "lost_names",
            "empty",
            "runaway",
            "chatty",
            "praise",
            "padding",
            "garbled",
            "overused",
            "disfluent",
            "copied_risky",
        ):
            scores = scores - getattr(weights, name) * parts[name]
        return RewardBatch(scores.astype(np.float32), parts)

    def risky_words(self, original: str) -> tuple[str, ...]:
        """The words that carry a prompt's predicted risk, in lower case; none if it is harmless."""
        self._find_harmless([original])
        if self._floors[original] is not None:
            return ()
        long = (word for word in dict.fromkeys(faults.words(original)) if len(word) > 2)
        return tuple(word for word in long if word not in self._harmless[original])

    def most_blamed(self, original: str) -> tuple[str, ...]:
        """The words that take at least `MOST_BLAMED` of a prompt's predicted risk with them, in lower case."""
        self._find_harmless([original])
        return self._most_blamed[original]

    def _similarity(self, originals: Sequence[str], texts: Sequence[str]) -> Scores:
        """Answers to one prompt stand next to each other, and go through the encoder together."""
        found: list[float] = []
        for original, group in itertools.groupby(
            zip(originals, texts, strict=True), key=lambda pair: pair[0]
        ):
            found += self.encoder.similarity(original, [text for _, text in group])
        return np.array(found, np.float32)

    def _find_harmless(self, originals: Sequence[str]) -> None:
        """Occlusion is many forward passes a prompt, and prompts come again each epoch: remember the answer."""
        new = [text for text in dict.fromkeys(originals) if text not in self._harmless]
        if not new:
            return
        for text, risk in zip(new, self.scorer.score(new, words=True), strict=True):
            risky = {
                word
                for item in risk.words
                if item.share >= self.weights.harmless_share
                for word in faults.words(item.word)
            }
            self._most_blamed[text] = tuple(
                word
                for item in risk.words
                if item.share * risk.overall >= MOST_BLAMED
                for word in faults.words(item.word)
                if len(word) > 2
            )
            own = (risk.overall, max(risk.categories.values()))
            self._floors[text] = own if risk.overall <= self.weights.harmless_risk else None
            self._harmless[text] = frozenset(word for word in faults.words(text) if len(word) > 2) - risky
            self._names[text] = harmless_names(text, self.names, self.scorer) if self.names else ()


def _risks(scorer: Scorer, texts: Sequence[str]) -> tuple[Scores, Scores]:
    """Overall risk and worst category; equal texts, of which samples have many, are judged once."""
    different = list(dict.fromkeys(texts))
    found = dict(zip(different, scorer.score(different), strict=True))
    return (
        _column(found[text].overall for text in texts),
        _column(max(found[text].categories.values()) for text in texts),
    )


def _column(values: Iterable[float]) -> Scores:
    return np.fromiter(values, dtype=np.float32)
