from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from posi.posi_core.normalize import normalize
from posi.posi_core.risk.words import MAX_VARIANTS, Span, shares, spans, without, word_risks

probabilities = st.floats(0, 1)


def test_spans_are_words() -> None:
    text = "don't look, well-known (red:1.2) café"
    assert [text[span.start : span.end] for span in spans(text)] == [
        "don't",
        "look",
        "well-known",
        "red",
        "1",
        "2",
        "café",
    ]


@given(st.text())
def test_leaving_out_keeps_the_rest(text: str) -> None:
    parts = spans(text)
    assert len(parts) <= MAX_VARIANTS
    for part, variant in zip(parts, without(text, parts), strict=True):
        assert variant == f"{text[: part.start]} {text[part.end :]}".strip()


def test_long_texts_leave_out_groups() -> None:
    text = " ".join(f"word{number}" for number in range(1000))
    parts = spans(text)
    assert len(parts) <= MAX_VARIANTS
    assert parts[0].start == 0
    assert parts[-1].end == len(text)


@given(probabilities, st.lists(probabilities, max_size=20))
def test_shares_are_parts_of_a_whole(whole: float, left: list[float]) -> None:
    found = shares(whole, left)
    assert len(found) == len(left)
    assert all(0 <= value <= 1 for value in found)
    assert sum(found) <= 1 + 1e-9


def test_the_word_that_matters_has_the_share() -> None:
    dull, risky = shares(0.9, [0.9, 0.05])
    assert dull == 0
    assert risky == pytest.approx(1, abs=0.05)


def test_two_risky_words_do_not_hide_each_other() -> None:
    """Either alone suffices for 0.97; left out, the probability hardly moves, the logit does."""
    first, second, dull = shares(0.97, [0.93, 0.93, 0.97])
    assert first == second > 0.1
    assert dull == 0


def test_harmless_texts_have_small_shares() -> None:
    assert sum(shares(0.02, [0.018, 0.019])) < 0.2


def test_words_of_a_disguised_reading_point_at_the_original() -> None:
    text = "a picture of m u r d e r in town"
    plain = normalize(text)
    assert plain.text != text
    parts = spans(plain.text)
    risks = word_risks(text, plain.text, parts, [0.1] * len(parts))
    assert [risk.word for risk in risks if "r" in risk.word and len(risk.word) > 9] == ["m u r d e r"]
    assert all(text[risk.start : risk.end] == risk.word for risk in risks)


def test_a_reading_that_cannot_be_placed_has_no_words() -> None:
    assert word_risks("abc", "something else", [Span(0, 9)], [0.5]) == ()
