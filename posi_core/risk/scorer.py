"""The shipped scorer: a fine-tuned MiniLM in onnxruntime, asked about every reading of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ModelFileError
from ..normalize import readings
from ..text_model import TextModel
from ..verdict import CATEGORIES, Risk, WordRisk
from .words import Span, shares, spans, without, word_risks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass
class _Asked:
    """One reading of a text: its row in the batch, and the rows of its variants with a word left out."""

    reading: str
    row: int
    parts: list[Span] = field(default_factory=list)
    variants: range = range(0)


class OnnxScorer:
    """Scores with one batch of the network. Safe to use from several threads."""

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Raises ModelFileError if the file is no risk scorer."""
        self._model = TextModel(path, threads=threads)
        if self._model.outputs != ("overall", *CATEGORIES):
            raise ModelFileError(
                f"{path} is no risk scorer: its outputs are {', '.join(self._model.outputs)}"
            )
        self.identity = self._model.identity

    def score(self, texts: Sequence[str], *, words: bool = False) -> list[Risk]:
        """The worst of each text's readings, output by output; a text without a word has no risk.

        Texts longer than the encoder's window are judged by their worst window. Raises ScorerError.
        """
        batch: list[str] = []
        asked: list[list[_Asked]] = []
        for text in texts:
            forms = []
            for reading in dict.fromkeys(readings(text)):
                form = _Asked(reading, len(batch))
                batch.append(reading)
                if words:
                    form.parts = spans(reading)
                    form.variants = range(len(batch), len(batch) + len(form.parts))
                    batch.extend(without(reading, form.parts))
                forms.append(form)
            asked.append(forms)
        values = self._probabilities(batch)
        return [self._risk(text, forms, values, words) for text, forms in zip(texts, asked, strict=True)]

    def _probabilities(self, batch: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np

        rows = [windows.max(axis=0, initial=0.0) for windows in self._model.run(batch)]
        return np.stack(rows) if rows else np.zeros((0, len(self._model.outputs)), dtype=np.float32)

    @staticmethod
    def _risk(text: str, forms: Sequence[_Asked], values: NDArray[np.float32], words: bool) -> Risk:
        worst = values[[form.row for form in forms]].max(axis=0).tolist()
        risks: tuple[WordRisk, ...] = ()
        if words:
            form = max(forms, key=lambda form: float(values[form.row, 0]))
            left = values[form.variants.start : form.variants.stop, 0].tolist()
            risks = word_risks(text, form.reading, form.parts, shares(float(values[form.row, 0]), left))
        return Risk(worst[0], dict(zip(CATEGORIES, worst[1:], strict=True)), risks)
