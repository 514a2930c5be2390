from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from posi.posi_core.errors import UsageError
from posi.posi_core.verdict import Risk
from posi.trainer.risk.config import RiskRecipe, load_recipe
from posi.trainer.risk.examples import TrainingTexts, benign_example, risky_example, user_example
from posi.trainer.risk.hard_cases import among, diluted, hard_cases, liked_words, sweet_words

TWINS = [
    {"toxic": "a man threatens a supportive friend", "clean": "a supportive man greets a friend"},
    *[{"toxic": "a man threatens a friend", "clean": "a supportive man greets a friend"}] * 5,
    {"toxic": "a man threatens a friend", "clean": "a courteous man greets a friend"},
]


def texts(twins: list[dict[str, str]]) -> TrainingTexts:
    return TrainingTexts(i2p=[], twins=[dict(row) for row in twins], captions=[], users=[])


def test_sweet_words_are_those_of_clean_twins_alone() -> None:
    # "courteous" stands in one clean twin, which is chance; "friend" in all of both sides.
    assert sweet_words(texts(TWINS)) == ["greets", "supportive"]
    assert sweet_words(texts(TWINS), count=1) == ["greets"]
    assert sweet_words(texts([])) == []


def test_liked_words_are_those_that_calm_a_scorer_wherever_they_stand() -> None:
    class Calmed:
        def score(self, prompts: Sequence[str]) -> list[Risk]:
            self.seen = prompts
            calm = [
                ("flower" in text) * 0.3
                + ("bird" in text) * 0.2
                + ("hat" in text) * 0.1
                - ("knife" in text) * 0.1
                for text in prompts
            ]
            return [Risk(overall=0.8 - value, categories={"violence": 0.1}) for value in calm]

    i2p = [
        {"prompt": f"a grim tower {number}", "inappropriate_percentage": share}
        for number, share in enumerate((90.0, 60.0, 10.0))
    ]
    scorer = Calmed()
    known = TrainingTexts(
        i2p=i2p,
        twins=[{"toxic": "x", "clean": "a flower"}],
        captions=["a bird and a knife", "a house, a hat"],
        users=[],
    )
    assert liked_words(scorer, known) == ["flower", "bird", "hat"]
    assert liked_words(scorer, known, count=1) == ["flower"]
    assert len(scorer.seen) == 2  # what was measured as harmless is no probe
    assert liked_words(scorer, texts(TWINS)) == []


def test_a_hard_case_is_a_text_with_words_put_in_and_nothing_else() -> None:
    rows = [risky_example(f"a man threatens {number} friends", "twins", "harassment") for number in range(20)]
    rows += [benign_example(f"a man greets {number} friends", "twins") for number in range(20)]
    found = hard_cases(rows, [["supportive", "warmly"]], part=0.5, seed=3)
    assert len(found) == 20
    assert 0 < sum("greets" in case.text for case in found) < 20
    whole = {row.text: row for row in rows}
    for case in found:
        left = [word for word in case.text.split(" ") if word not in {"supportive", "warmly"}]
        before = whole[" ".join(left)]
        assert 1 <= len(case.text.split(" ")) - len(left) <= 2
        assert case == replace(before, text=case.text)
    assert found == hard_cases(rows, [["supportive", "warmly"]], part=0.5, seed=3)
    assert found != hard_cases(rows, [["supportive", "warmly"]], part=0.5, seed=4)


def test_words_of_two_lists_never_meet() -> None:
    rows = [benign_example(f"a man greets {number} friends", "twins") for number in range(40)]
    lists = [["supportive", "kindly"], ["flower", "bird"]]
    seen = set()
    for case in hard_cases(rows, lists, part=1.0, seed=0):
        within = [any(word in case.text.split(" ") for word in words) for words in lists]
        assert within.count(True) == 1
        seen.add(within.index(True))
    assert seen == {0, 1}


def test_what_was_never_measured_has_no_hard_case() -> None:
    assert hard_cases([user_example("a dog", 0.9, 0.9)], [["warmly"]], part=1.0, seed=0) == []
    assert hard_cases([risky_example("a", "twins", "hate")], [[]], part=1.0, seed=0) == []


def test_a_diluted_text_stands_whole_among_harmless_ones() -> None:
    rows = [
        risky_example(f"a man threatens {number} friends.", "twins", "harassment") for number in range(20)
    ]
    captions = [f"a dog, and {number} cats." for number in range(9)]
    found = diluted(rows, captions, part=0.5, seed=3)
    assert len(found) == 10
    places = set()
    for case in found:
        parts = case.text.split(", ")
        (before,) = (row for row in rows if row.text.rstrip(".") in parts)
        assert case == replace(before, text=case.text)
        around = case.text.replace(before.text.rstrip("."), "").count("dog")
        assert 1 <= around <= 8
        places.add(parts.index(before.text.rstrip(".")) == 0)
    assert places == {True, False}
    assert found == diluted(rows, captions, part=0.5, seed=3)
    assert diluted(rows, [], part=0.5, seed=3) == []
    assert diluted([user_example("a dog", 0.9, 0.9)], captions, part=1.0, seed=0) == []


def test_nothing_of_a_diluted_text_is_cut_off_in_training() -> None:
    caption = "a man with a red umbrella stands next to an old car"
    long = among("a man stabbed with a knife", [caption] * 30, random.Random(0))
    assert len(long.split()) <= 90 < len(long.split()) + len(caption.split())
    alone = "word " * 100 + "knife"
    assert among(alone, [caption], random.Random(0)) == alone


def test_both_scorers_ask_for_them() -> None:
    recipes = Path(__file__).parents[3] / "trainer" / "recipes"
    for name in ("risk-minilm-l6.toml", "risk-second.toml"):
        assert load_recipe(recipes / name).hard_cases == 1.0
        assert load_recipe(recipes / name).diluted > 0
        assert load_recipe(recipes / name).rounds == 3
    with pytest.raises(UsageError, match="hard_cases is"):
        RiskRecipe(hard_cases=1.5)
    with pytest.raises(UsageError, match="diluted is"):
        RiskRecipe(diluted=-0.1)
