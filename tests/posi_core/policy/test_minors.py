"""The rule no policy switches off: what it blocks, and what it must leave alone."""

from __future__ import annotations

import pytest
from posi.posi_core.policy import minors_reason


@pytest.mark.parametrize(
    "text",
    [
        "kids playing in a park",
        "young woman smiling",
        "girl with a pearl earring",
        "1girl, school uniform, smile",
        "a small boy is wearing a blue and white tie",
        "a baby elephant",
        "a nude statue of a man, aged marble",
        "portrait of a naked woman, 25 years old",
        "a topless man aged 40 on a beach",
        "a 12 years old whisky on a table",
        "essex county, a boy scouting",
        "a nudge from a friendly teenager",
    ],
)
def test_harmless_texts_pass(text):
    assert minors_reason([text], sexual=0.05) is None


@pytest.mark.parametrize(
    "minor",
    [
        "a child",
        "Teenage girl",
        "young girl",
        "little boy",
        "schoolgirl",
        "a 15 year old",
        "a 15-year-old",
        "15yo",
        "15 y.o.",
        "1 5 years old",
        "aged 12",
        "age: 9",
        "a fifteen year old",
        "a thirteen-year-old",
        "under age person",
    ],
)
def test_minor_and_sexual_is_blocked(minor):
    assert minors_reason([f"{minor}, portrait"], sexual=0.4) is not None
    assert minors_reason([f"{minor}, nsfw"], sexual=0.0) is not None
    assert minors_reason([f"{minor}, portrait"], sexual=0.05) is None


def test_the_two_may_stand_in_different_parts():
    assert minors_reason(["a child on a swing", "erotic art"]) is not None


def test_terms_that_mean_both():
    assert minors_reason(["lolicon poster"]) is not None
    assert minors_reason(["gothic lolita fashion, lace, umbrella"]) is None
