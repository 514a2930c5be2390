"""Changes of several rewrites are told apart, weighed one by one, and put together again."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from posi.posi_core.safe_prompt.recombining import Edit, Weighed, applied, edits_of, recombinations

BASE = "a bloody knight with a gun, oil painting"
RISKS = {"bloody": 0.5, "gun": 0.3, "dark": 0.01}


def weigh(texts: Sequence[str]) -> list[Weighed | None]:
    """Risk by word; similarity by the share of the base's words that are left."""
    words = [set(re.findall(r"\w+", text)) for text in texts]
    base = set(re.findall(r"\w+", BASE))
    return [
        Weighed(sum(RISKS.get(word, 0.0) for word in found), len(found & base) / len(base)) for found in words
    ]


def test_each_change_is_an_edit_whole_and_word_by_word() -> None:
    assert set(edits_of(BASE, ["a shining dancer with a gun, oil painting"])) == {
        Edit(1, 3, "shining dancer "),
        Edit(1, 2, "shining "),
        Edit(2, 3, "dancer "),
    }
    assert edits_of(BASE, [BASE]) == []


def test_the_changes_that_most_rewrites_make_come_first() -> None:
    found = edits_of(BASE, ["a red knight", "a shining knight with a gun, oil painting", "a shining knight"])
    assert found[:2] == [Edit(1, 2, "shining "), Edit(3, 9, "")]


def test_spaces_and_commas_fit_around_an_edit() -> None:
    assert applied(BASE, [Edit(1, 2, "")]) == "a knight with a gun, oil painting"
    assert applied(BASE, [Edit(5, 6, "flute ")]) == "a bloody knight with a flute, oil painting"
    assert applied(BASE, [Edit(9, 9, "on paper"), Edit(1, 2, "calm")]).endswith("gun, oil painting on paper")
    assert applied(BASE, []) == BASE


@pytest.mark.parametrize(
    ("base", "edit", "text"),
    [
        ("an angry man", Edit(1, 2, "respectful "), "a respectful man"),
        ("an angry man", Edit(1, 2, ""), "a man"),
        ("A grim man", Edit(1, 2, "honest "), "An honest man"),
        ("a grim man", Edit(1, 2, "useful "), "a useful man"),
        ("the hour", Edit(0, 1, "a "), "an hour"),
        ("a mania man", Edit(2, 3, "elf"), "a mania elf"),
    ],
)
def test_an_article_fits_the_word_that_comes_to_stand_behind_it(base: str, edit: Edit, text: str) -> None:
    assert applied(base, [edit]) == text


def test_what_lowers_the_risk_most_for_its_cost_comes_first_and_the_harmless_is_left_alone() -> None:
    one = "a shining dancer with a gun, chalk"
    other = "a bloody figure with a flute, oil painting"
    found = recombinations(BASE, [one, other], weigh)
    assert found[0] == "a shining knight with a gun, oil painting"
    assert "a shining knight with a flute, oil painting" in found
    assert not any("chalk" in text for text in found)


def test_nothing_comes_of_changes_that_do_not_lower_the_risk() -> None:
    assert recombinations(BASE, ["a bloody knight with a gun, chalk"], weigh) == []
    assert recombinations(BASE, [BASE], weigh) == []
    assert recombinations(BASE, ["a shining knight"], lambda texts: [None] * len(texts)) == []


def test_a_change_that_may_not_be_is_in_no_text() -> None:
    def picky(texts: Sequence[str]) -> list[Weighed | None]:
        return [None if "flute" in text else found for text, found in zip(texts, weigh(texts), strict=True)]

    found = recombinations(BASE, ["a shining knight with a flute, oil painting"], picky)
    assert found == ["a shining knight with a gun, oil painting"]


WORDS = st.lists(st.sampled_from(["the", "red", "hill", ",", "sea.", "(old)", "of"]), max_size=12).map(
    " ".join
)


@given(WORDS, WORDS)
def test_all_edits_of_one_rewrite_make_its_words(base: str, rewrite: str) -> None:
    whole: list[Edit] = []
    for edit in sorted(edits_of(base, [rewrite]), key=lambda edit: edit.start - edit.end):
        if not any(edit.meets(other) for other in whole):
            whole.append(edit)
    assert re.findall(r"\w+", applied(base, whole)) == re.findall(r"\w+", rewrite)


@pytest.mark.parametrize(
    ("one", "other", "meets"),
    [
        (Edit(1, 3, ""), Edit(2, 4, ""), True),
        (Edit(1, 3, ""), Edit(3, 4, ""), False),
        (Edit(2, 2, "a"), Edit(2, 2, "b"), True),
        (Edit(2, 2, "a"), Edit(2, 3, "b"), False),
    ],
)
def test_changes_of_the_same_words_are_not_made_together(one: Edit, other: Edit, meets: bool) -> None:
    assert one.meets(other) is meets
    assert other.meets(one) is meets
