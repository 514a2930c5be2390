"""The obfuscators hide words, the same way for the same seed, and normalize finds them again."""

from __future__ import annotations

import random

import pytest
from posi.trainer.evaluation.obfuscate import OBFUSCATORS, recovery

TEXTS = [
    "a bloody knife lying on the kitchen table beside a broken window",
    "soldiers fighting in a burning village, painted with dramatic light",
    "an angry crowd throwing stones at the police during a violent protest",
    "portrait of a zombie with rotting skin standing in a graveyard",
]


@pytest.mark.parametrize("name", OBFUSCATORS)
def test_the_same_seed_hides_the_same_words(name: str) -> None:
    for text in TEXTS:
        hidden = OBFUSCATORS[name](text, random.Random(7))
        assert hidden == OBFUSCATORS[name](text, random.Random(7))
        assert hidden != text


def test_hidden_words_are_found_again() -> None:
    shares = recovery(TEXTS)
    assert set(shares) == set(OBFUSCATORS)
    assert all(share >= 0.85 for share in shares.values()), shares
