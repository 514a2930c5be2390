"""Hashed n-grams of words and letters into a logistic regression: reads words, knows nothing of their meaning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....posi_core.errors import ModelFileError
from ....posi_core.models import data_dir

FloatArray = NDArray[np.float64]

WORD_BITS = 17
LETTER_BITS = 17


def features(texts: Sequence[str]) -> Any:
    """Sparse [texts, 2**17 + 2**17]: word 1-2-grams, then letter 3-5-grams within words, each row of unit length."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import HashingVectorizer

    words = HashingVectorizer(ngram_range=(1, 2), n_features=2**WORD_BITS, alternate_sign=False, binary=True)
    letters = HashingVectorizer(
        analyzer="char_wb", ngram_range=(3, 5), n_features=2**LETTER_BITS, alternate_sign=False, binary=True
    )
    lowered = [text.casefold() for text in texts]
    return hstack([words.transform(lowered), letters.transform(lowered)]).tocsr()


class LinearJudge:
    """Predicted inappropriate share from a weight for each n-gram. `weights` is float32."""

    def __init__(self, weights: NDArray[np.float32], bias: float) -> None:
        self.weights = weights
        self.bias = bias

    def share(self, texts: Sequence[str]) -> list[float]:
        """Predicted share of inappropriate images in [0, 1], one a text."""
        if not texts:
            return []
        logits = features(texts) @ self.weights + self.bias
        return [float(value) for value in 1 / (1 + np.exp(-logits))]

    def save(self, path: Path) -> None:
        """The non-zero weights, float32, as .npz; the same weights give the same bytes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        places = np.flatnonzero(self.weights).astype(np.int32)
        with path.open("wb") as stream:
            np.savez(stream, places=places, values=self.weights[places], bias=np.float64(self.bias))

    @classmethod
    def read(cls, path: Path) -> LinearJudge:
        """Raises ModelFileError if the file is missing or of another kind."""
        try:
            with np.load(path, allow_pickle=False) as data:
                weights = np.zeros(2**WORD_BITS + 2**LETTER_BITS, dtype=np.float32)
                weights[data["places"]] = data["values"]
                return cls(weights, float(data["bias"]))
        except (OSError, KeyError, ValueError, IndexError) as error:
            raise ModelFileError(f"{path} is no judge ({error}): build it with `posi train judge`") from error


def judge_path() -> Path:
    """Where `posi train judge` puts it unless told otherwise."""
    return data_dir() / "judge-linear.npz"


def load_judge(path: Path | None = None) -> LinearJudge:
    """The judge that `posi train judge` built. Raises ModelFileError, saying how to build it."""
    return LinearJudge.read(path or judge_path())
