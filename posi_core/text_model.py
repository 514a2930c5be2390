"""A small ONNX text encoder with its tokenizer inside the file: texts -> one row of numbers each."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ModelFileError, ScorerError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]

WINDOW = 128
"""Word pieces the encoder sees at once, with its two end marks."""
OVERLAP = 32
"""Word pieces that neighbouring windows of a longer text share."""
TOKENIZER_KEY = "posi.tokenizer"
OUTPUTS_KEY = "posi.outputs"


class TextModel:
    """An ONNX graph `(input_ids, attention_mask) -> [batch, columns]`.

    The file's metadata holds the tokenizer (`posi.tokenizer`, a `tokenizer.json`) and the names of the columns
    (`posi.outputs`, a JSON list). Safe to use from several threads.
    """

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Load `path`; `threads` defaults to the CPUs, at most four. Raises ModelFileError."""
        import onnxruntime
        from tokenizers import Tokenizer

        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelFileError(f"{path} cannot be read: {error.strerror or error}") from error
        options = onnxruntime.SessionOptions()
        # One text is too little work to share out; several texts are shared out whole.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # CPUs with AVX2 and no VNNI add up 8-bit products in 16 bits and let them overflow: the scorer then reads the
        # paper's test prompts 0.03 too low on average and single ones 0.2. This takes wider sums on those CPUs alone.
        options.add_session_config_entry("session.x64quantprecision", "1")
        self._threads = threads or min(4, os.cpu_count() or 1)
        try:
            self._session: Any = onnxruntime.InferenceSession(
                data, options, providers=["CPUExecutionProvider"]
            )
            metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
            self._tokenizer: Any = Tokenizer.from_str(metadata[TOKENIZER_KEY])
            self.outputs: tuple[str, ...] = tuple(json.loads(metadata[OUTPUTS_KEY]))
        except Exception as error:  # onnxruntime and tokenizers raise bare exceptions of their own
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelFileError(f"{path} is no POSI text model ({reason}): fetch it again") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.identity = f"{path.stem}-{hashlib.sha256(data).hexdigest()[:12]}"

    def windows(self, text: str) -> list[list[int]]:
        """Word piece ids of `text` with end marks, in overlapping windows; none if it holds no word at all."""
        # A lone surrogate has no UTF-8 form, which is all that the tokenizer takes.
        clean = text.encode("utf-8", "replace").decode("utf-8")
        ids: list[int] = self._tokenizer.encode(clean, add_special_tokens=True).ids
        first, last, inner = ids[0], ids[-1], ids[1:-1]
        room = WINDOW - 2
        if not inner:
            return []
        starts = range(0, max(1, len(inner) - OVERLAP), room - OVERLAP) if len(inner) > room else range(1)
        return [[first, *inner[start : start + room], last] for start in starts]

    def pieces(self, word: str) -> int:
        """Into how many word pieces the tokenizer cuts `word`: one for a common word, many for no word at all."""
        return len(self._tokenizer.encode(word, add_special_tokens=False).ids)

    def run(self, texts: Sequence[str]) -> list[FloatArray]:
        """Rows [windows, columns] of each text (no rows for a text without a word).

        Each window goes through the network alone: int8 scales follow the whole input, so in a common tensor a
        text's values would depend on its neighbours, and the same text must always get the same values.
        Several windows are spread over the threads.

        Raises ScorerError if the network fails or answers with anything but finite numbers.
        """
        import numpy as np

        windows = [self._windows_of(text) for text in texts]
        flat = [window for of_text in windows for window in of_text]
        if len(flat) > 1 and self._threads > 1:
            with ThreadPoolExecutor(min(self._threads, len(flat))) as pool:
                rows = list(pool.map(self._row, flat))
        else:
            rows = [self._row(window) for window in flat]
        found: list[FloatArray] = []
        start = 0
        for of_text in windows:
            part = rows[start : start + len(of_text)]
            start += len(of_text)
            empty = np.zeros((0, len(self.outputs)), dtype=np.float32)
            found.append(np.concatenate(part) if part else empty)
        return found

    def _row(self, window: list[int]) -> FloatArray:
        import numpy as np

        ids = np.array([window], dtype=np.int64)
        try:
            row: FloatArray = self._session.run(
                None, {"input_ids": ids, "attention_mask": np.ones_like(ids)}
            )[0]
        except Exception as error:  # onnxruntime raises bare exceptions of its own
            raise ScorerError(f"{self.identity}: the network failed ({error})") from error
        if row.shape != (1, len(self.outputs)) or not np.isfinite(row).all():
            raise ScorerError(f"{self.identity}: the network's answer is not {len(self.outputs)} numbers")
        return row

    def _windows_of(self, text: str) -> list[list[int]]:
        try:
            return self.windows(text)
        except Exception as error:
            raise ScorerError(f"{self.identity}: the text cannot be tokenised ({error})") from error
