from __future__ import annotations

import numpy as np
import pytest
from posi.posi_core.engine.sampling import sample

LOGITS = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))


def frequencies(temperature: float, top_k: int, top_p: float) -> np.ndarray:
    generator = np.random.default_rng(0)
    drawn = [sample(LOGITS, temperature, top_k, top_p, generator) for _ in range(4000)]
    return np.bincount(drawn, minlength=4) / len(drawn)


def test_probabilities_are_those_of_the_logits() -> None:
    assert frequencies(1.0, 0, 1.0) == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)


def test_top_k_and_top_p_cut_the_tail() -> None:
    assert frequencies(1.0, 2, 1.0) == pytest.approx([0.625, 0.375, 0, 0], abs=0.03)
    assert frequencies(1.0, 0, 0.9) == pytest.approx([0.526, 0.316, 0.158, 0], abs=0.03)
    assert frequencies(1.0, 1, 1.0)[0] == 1
    assert frequencies(1.0, 0, 0.01)[0] == 1


def test_temperature_sharpens() -> None:
    assert frequencies(0.1, 0, 1.0)[0] > 0.98
    assert frequencies(10.0, 0, 1.0).max() < 0.35


def test_the_seed_decides() -> None:
    rows = np.random.default_rng(1).normal(size=(50, 2000)).astype(np.float32)
    runs = [
        [sample(row, 0.8, 40, 0.95, generator) for row in rows]
        for generator in map(np.random.default_rng, (7, 7, 8))
    ]
    assert runs[0] == runs[1] != runs[2]
