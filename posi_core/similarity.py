"""How close a rewrite stays to the original: cosine of sentence embeddings (MiniLM, Wang et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .models import find
from .text_model import TextModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Encoder(Protocol):
    """Anything that can compare an original with its rewrites; tests bring their own."""

    identity: str

    def similarity(self, original: str, rewrites: Sequence[str]) -> list[float]:
        """Cosine in [-1, 1] of each rewrite with the original."""
        ...

    def pieces(self, word: str) -> int:
        """Into how many word pieces the tokenizer cuts a word: one for a common word, many for no word at all."""
        ...


class SentenceEncoder:
    """The shipped encoder. Safe to use from several threads."""

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Raises ModelFileError if the file cannot be used."""
        self._model = TextModel(path, threads=threads)
        self.identity = self._model.identity

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors [texts, width]; a text without a word gets zeros. Raises ScorerError.

        A text longer than one window is the mean over its windows.
        """
        import numpy as np

        rows = [windows.sum(axis=0) for windows in self._model.run(texts)]
        vectors = np.stack(rows) if rows else np.zeros((0, 1), dtype=np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = (vectors / np.where(norms == 0, 1, norms)).astype(np.float32)
        return unit

    def similarity(self, original: str, rewrites: Sequence[str]) -> list[float]:
        """Cosine in [-1, 1]; equal texts have 1, and an empty one has 0 with any other. Raises ScorerError."""
        vectors = self.embed([original, *rewrites])
        # Row by row: a matrix product may round a pair differently in another company.
        cosines = (vectors[1:] * vectors[0]).sum(axis=1).clip(-1.0, 1.0).tolist()
        return [
            1.0 if text == original else float(cosine) for text, cosine in zip(rewrites, cosines, strict=True)
        ]

    def pieces(self, word: str) -> int:
        return self._model.pieces(word)


def load_encoder(path: Path | None = None, *, threads: int | None = None) -> SentenceEncoder:
    """The shipped encoder, or the one in `path`. Raises ModelFileError."""
    return SentenceEncoder(find("encoder", path), threads=threads)
