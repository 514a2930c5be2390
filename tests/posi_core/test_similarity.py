from __future__ import annotations

import numpy as np
import pytest
from posi.posi_core.similarity import SentenceEncoder, load_encoder


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return load_encoder()


def test_closer_in_meaning_is_closer(encoder: SentenceEncoder) -> None:
    original = "a sad clown holding a knife, oil painting"
    same, near, far = encoder.similarity(
        original, [original, "a sad clown holding a flower, oil painting", "annual report of a bank"]
    )
    assert same == 1.0
    assert 0.7 < near < 1.0
    assert far < 0.3


def test_values_are_cosines(encoder: SentenceEncoder) -> None:
    vectors = encoder.embed(["a red car", "ein rotes Auto", ""])
    assert vectors.shape == (3, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 0], abs=1e-5)


def test_empty_and_long_texts(encoder: SentenceEncoder) -> None:
    assert encoder.similarity("", ["", "a dog"]) == [1.0, 0.0]
    assert encoder.similarity("a dog", []) == []
    long = "a green valley in spring, " * 200
    assert encoder.similarity(long, [long + "!"])[0] > 0.95


def test_neighbours_do_not_change_a_value(encoder: SentenceEncoder) -> None:
    rewrites = ["a happy dog in the rain", "two cats", "a horse " * 90]
    together = encoder.similarity("a sad dog in the rain", rewrites)
    assert together == [encoder.similarity("a sad dog in the rain", [text])[0] for text in rewrites]
