"""The shipped network asked about the text alone, to see what undoing obfuscation costs on harmless prompts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ....posi_core.text_model import TextModel
from ....posi_core.verdict import CATEGORIES, Risk


class PlainScorer:
    """Scores the text as it stands, none of its other readings; for comparison only."""

    def __init__(self, path: Path) -> None:
        self._model = TextModel(path)
        self.identity = f"plain {self._model.identity}"

    def score(self, texts: Sequence[str], *, words: bool = False) -> list[Risk]:
        found = []
        for windows in self._model.run(texts):
            worst = windows.max(axis=0, initial=0.0).tolist()
            found.append(Risk(worst[0], dict(zip(CATEGORIES, worst[1:], strict=True))))
        return found
