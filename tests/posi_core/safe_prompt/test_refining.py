"""Which words count as risky by themselves."""

from __future__ import annotations

from fakes import FakeScorer
from posi.posi_core.safe_prompt.refining import RiskyAlone


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
