"""Alignment, minimal edits, filters and the split: on pairs written for the case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from posi.trainer.data.align import align, compose, similarity, split_words
from posi.trainer.data.edits import minimal_clean
from posi.trainer.data.filters import Limits, drop_reason, is_truncated
from posi.trainer.data.split import is_held_out, text_key
from posi.trainer.data.unsafe import load_terms, sexual_with_minor


def respelled(toxic: str, clean: str) -> str:
    old, new = split_words(toxic), split_words(clean)
    return compose(old, new, align(old, new))


@pytest.mark.parametrize(
    ("toxic", "clean", "expected"),
    [
        (
            "bloody knight by greg rutkowski, 4 k",
            "Brave knight by Greg Rutkowski, 4K.",
            "brave knight by greg rutkowski, 4 k",
        ),
        ("rené magritte, gory", "Rene Magritte, calm", "rené magritte, calm"),
        ("a dead man ,8 k", "A sleeping man, 8k", "a sleeping man ,8 k"),
        ("Kill Bill", "Hug Bill", "Hug Bill"),
        ("bones", "Flowers", "flowers"),
        ("naked woman", "woman wearing a coat", "woman wearing a coat"),
        ("  two  spaces kept , here ", "two spaces kept, here!", "  two  spaces kept , here "),
    ],
)
def test_clean_side_takes_the_toxic_sides_spelling(toxic: str, clean: str, expected: str) -> None:
    assert respelled(toxic, clean) == expected


@given(st.text(max_size=60))
def test_a_text_aligned_with_itself_comes_back(text: str) -> None:
    assert respelled(text, text) == text


@given(st.text(max_size=60), st.text(max_size=60))
def test_new_words_are_those_of_the_clean_side(toxic: str, clean: str) -> None:
    if split_words(clean).words:
        # "ß" is one letter and "ss" two, "²" a digit that ends a word and "2" one that does not.
        odd = "ß" in clean + toxic or any(sign.isdigit() and not sign.isdecimal() for sign in clean + toxic)
        assert split_words(respelled(toxic, clean)).keys == split_words(clean).keys or odd


def harmless(word: str) -> bool:
    return word in {"8", "k", "sharp", "focus", "trending", "on", "by", "artstation"}


@pytest.mark.parametrize(
    ("toxic", "clean", "expected"),
    [
        (
            "corpse of stone, sharp focus, trending on artstation",
            "statue of stone, clear view, popular on ArtStation",
            "statue of stone, sharp focus, trending on artstation",
        ),
        ("a corpse", "a captivating statue", "a statue"),
        ("a corpse", "an enchanting statue", "a statue"),
        ("a gory oak", "a majestic oak", "an oak"),
        ("scary clown", "Stunning clown", "clown"),
        ("ghost of sargent", "spirit of Sargentt", "spirit of sargent"),
    ],
)
def test_edits_for_nothing_are_undone(toxic: str, clean: str, expected: str) -> None:
    assert minimal_clean(toxic, clean, harmless) == expected


@pytest.mark.parametrize(
    ("toxic", "clean", "cut"),
    [
        ("a castle by disney concept artists", "a castle by disney concept art", True),
        ("a castle by disney concept artists", "a house by the", True),
        ("a castle at night, stars", "a castle at night,", True),
        ("a castle at night", "a house at noon", False),
        ("a castle at night", "a house at night", False),
    ],
)
def test_cut_off_clean_sides_are_seen(toxic: str, clean: str, cut: bool) -> None:
    assert is_truncated(toxic, clean) is cut


@pytest.mark.parametrize(
    ("clean", "named", "after", "reason"),
    [
        ("a calm man in a park", [], 0.1, None),
        ("a bloody man in a park", [], 0.1, "nothing changed"),
        ("a calm man in a park", ["noose"], 0.1, "clean side names something unsafe"),
        ("a calm man in a park", [], 0.7, "clean side scored unsafe"),
        ("a calm man in a park", [], 0.55, "clean side scored worse than the toxic side"),
        ("seventeen bicycles", [], 0.1, "clean side unrelated"),
        (
            "a calm man in a park " + "with more and more words " * 4,
            [],
            0.1,
            "clean side outgrew the toxic side",
        ),
        ("!!!", [], 0.1, "no words"),
    ],
)
def test_reasons_to_drop(clean: str, named: list[str], after: float, reason: str | None) -> None:
    found = drop_reason(
        "a bloody man in a park",
        clean,
        Limits(floor=0.35),
        named_unsafe=named,
        unsafe_before=0.5,
        unsafe_after=after,
    )
    assert found == reason


def test_sexual_words_and_words_for_minors_never_meet() -> None:
    assert sexual_with_minor("sensual light", "portrait of a student")
    assert sexual_with_minor("fashion photo, bikini, 16 year old")
    assert not sexual_with_minor("portrait of a student", "children playing football")
    assert not sexual_with_minor("woman in a bikini, 35 years old")


def test_split_depends_on_words_alone() -> None:
    assert text_key("  A Knight, by ＧＲＥＧ! ") == "a knight by greg"
    assert is_held_out("A knight, by Greg") == is_held_out("a KNIGHT by greg")
    share = sum(is_held_out(f"prompt number {index}") for index in range(3000)) / 3000
    assert 0.17 < share < 0.23


def test_term_list_reads_as_words() -> None:
    terms = load_terms()
    assert {"noose", "corpse", "heroin"} <= terms
    assert not any(term.startswith("#") or " " in term for term in terms)
    assert similarity("a noose", "a rope") == 0.5
