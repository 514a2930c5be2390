"""How risky a prompt is, by category and word, judged from its text alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ..models import find
from ..verdict import Risk
from .scorer import OnnxScorer

__all__ = ["OnnxScorer", "Scorer", "load_scorer"]


class Scorer(Protocol):
    """Anything that can judge texts; tests bring their own."""

    identity: str
    """Name and hash of the model: part of every cache key."""

    def score(self, texts: Sequence[str], *, words: bool = False) -> list[Risk]:
        """One `Risk` a text, in order; with `words`, also the share of each word. Raises ScorerError."""
        ...


def load_scorer(path: Path | None = None, *, threads: int | None = None) -> OnnxScorer:
    """The shipped scorer, or the one in `path`. Raises ModelFileError."""
    return OnnxScorer(find("risk", path), threads=threads)
