"""Which words count as risky by themselves, and how much work the refiner takes on."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from fakes import FakeScorer
from posi.posi_core.safe_prompt.refining import MOST_SEGMENTS, Refiner, RiskyAlone


def test_words_are_risky_alone_from_the_limit_on_and_each_is_scored_once() -> None:
    scorer = FakeScorer({"bloody": ("violence", 0.9), "dim": ("shocking", 0.45), "odd": ("hate", 0.44)})
    risky = RiskyAlone(scorer, 0.45)
    assert risky(["Bloody", "dim", "odd", "hill", ",", "of", "4k"]) == {"Bloody", "dim"}
    assert scorer.calls == [("bloody", "dim", "hill", "odd")]
    assert risky(["bloody", "hill"]) == {"bloody"}
    assert risky([]) == set()
    assert len(scorer.calls) == 1


def test_a_limit_of_zero_counts_every_word_and_asks_nobody() -> None:
    scorer = FakeScorer()
    assert list(RiskyAlone(scorer, 0.0)(["hill", ","])) == ["hill", ","]
    assert scorer.calls == []


def test_a_prompt_of_many_parts_is_recombined_in_the_first_of_them_alone() -> None:
    parts = MOST_SEGMENTS + 3
    found: Any = [SimpleNamespace(rewrites=(text,) * parts) for text in ("a red hill", "a hill")]
    touched = set()

    def consider(sets: Sequence[Any], origin: str) -> list[Any]:
        touched.update(
            place for texts in sets for place, text in enumerate(texts) if text != found[0].rewrites[0]
        )
        return [None] * len(sets)

    unchanged: Any = SimpleNamespace()
    refiner = Refiner(["a bloody hill"] * parts, unchanged, consider, RiskyAlone(FakeScorer(), 0.45))
    refiner.recombine(found, found[0])
    assert touched == set(range(MOST_SEGMENTS))
