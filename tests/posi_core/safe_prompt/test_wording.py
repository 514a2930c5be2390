"""The word diff, and taking words out without debris."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from posi.posi_core.safe_prompt.wording import changes_between, without_words, words_in
from posi.posi_core.verdict import WordRisk


def marked(text, *words):
    return [WordRisk(word, text.index(word), text.index(word) + len(word), 0.1) for word in words]


@pytest.mark.parametrize(
    ("text", "words", "left"),
    [
        ("a bloody knight", ["bloody"], "a knight"),
        ("portrait of a corpse, oil", ["corpse"], "portrait, oil"),
        ("a man with a gun and an axe", ["gun"], "a man with an axe"),
        ("blood, rain, oil", ["blood"], "rain, oil"),
        ("rain, blood, oil", ["blood"], "rain, oil"),
        ("oil, blood", ["blood"], "oil"),
        ("an evil man", ["evil"], "a man"),
        ("a nasty apple tree", ["nasty"], "an apple tree"),
        ("a knight in blood and gore on a hill", ["blood", "gore"], "a knight on a hill"),
        ("hanging by a noose", ["noose"], "hanging"),
        ("corpse of a king", ["corpse"], "a king"),
        ("woman, naked body, smile", ["naked", "body"], "woman, smile"),
        ("corpse", ["corpse"], ""),
        ("the axe of an elf", [], "the axe of an elf"),
    ],
)
def test_words_leave_no_debris(text, words, left):
    assert without_words(text, marked(text, *words)) == left


@given(st.text(max_size=60), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=4))
def test_taking_out_never_raises_and_never_adds_words(text, spans):
    words = [WordRisk(text[a:b], a, b, 0.1) for a, b in spans if a < b <= len(text)]
    without_words(text, words)


@given(st.text(max_size=80), st.text(max_size=80))
def test_changes_rebuild_the_new_text(original, text):
    at, rebuilt = 0, []
    changes = changes_between(original, text)
    for change in changes:
        assert original[change.start : change.end] == change.before
        assert text[change.new_start : change.new_end] == change.after
        assert at <= change.start
        rebuilt.append(change)
        at = change.end
    if original.split() != text.split() and (original.strip() or text.strip()):
        assert changes or "".join(original.split()) == "".join(text.split())


def test_one_word_replaced():
    (change,) = changes_between("a bloody knight", "a shining knight")
    assert (change.before, change.after, change.start, change.new_end) == ("bloody", "shining", 2, 9)


def test_words_are_found_in_the_original():
    words = [WordRisk("gun", 2, 5, 0.5), WordRisk("gun", 8, 11, 0.3), WordRisk("gone", 12, 16, 0.2)]
    found = words_in("(gun:1.2), a [gun]", words)
    assert [(word.word, word.start) for word in found] == [("gun", 1), ("gun", 14)]
