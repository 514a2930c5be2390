"""llama.cpp's own quantisation, called through llama-cpp-python."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

from ...posi_core.errors import ModelFileError, UsageError


@dataclass(frozen=True)
class QuantType:
    """A file type: `weights` is what its linear layers hold, `head` the token embedding that is also the head.

    Both are names of `gguf.LlamaFileType` (MOSTLY_…) and `gguf.GGMLQuantizationType`.
    """

    weights: str
    head: str
    calibrated: bool = False


TYPES: dict[str, QuantType] = {
    "f32": QuantType("ALL_F32", "F32"),
    "f16": QuantType("MOSTLY_F16", "F16"),
    "q8_0": QuantType("MOSTLY_Q8_0", "Q8_0"),
    "q5_1": QuantType("MOSTLY_Q5_1", "Q8_0"),
    "q5_0": QuantType("MOSTLY_Q5_0", "Q8_0"),
    "q4_1": QuantType("MOSTLY_Q4_1", "Q8_0"),
    "iq4_nl": QuantType("MOSTLY_IQ4_NL", "Q8_0"),
    "q4_0-plain": QuantType("MOSTLY_Q4_0", "Q8_0"),
    "q4_0": QuantType("MOSTLY_Q4_0", "Q8_0", calibrated=True),
    "q4_0-head4": QuantType("MOSTLY_Q4_0", "Q4_0", calibrated=True),
}
"""By the name that `--type` takes. K-quants are missing: they need rows of a multiple of 256, this model has 576."""


def quant_type(name: str) -> QuantType:
    """Raises UsageError for an unknown name."""
    try:
        return TYPES[name]
    except KeyError:
        raise UsageError(f"unknown type {name!r}: choose one of {', '.join(TYPES)}") from None


def quantize(source: Path, out: Path, kind: QuantType, *, threads: int | None = None) -> None:
    """Quantise a float32 GGUF with `llama_model_quantize`. Raises ModelFileError when llama.cpp refuses.

    llama.cpp writes straight to `out`: pass a part file, see `atomic.replacing`.
    """
    import llama_cpp
    from gguf import GGMLQuantizationType, LlamaFileType

    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.nthread = threads or os.cpu_count() or 1
    parameters.ftype = LlamaFileType[kind.weights].value
    head = GGMLQuantizationType[kind.head].value
    parameters.token_embedding_type = head
    parameters.output_tensor_type = head
    with _quiet():
        code = llama_cpp.llama_model_quantize(
            str(source).encode(), str(out).encode(), ctypes.byref(parameters)
        )
    if code != 0:
        raise ModelFileError(f"llama.cpp could not quantise {source} to {kind.weights}: is the disk full?")


class _quiet:
    """Keeps llama.cpp's log lines off the terminal: its callback gets a function that drops them."""

    def __enter__(self) -> None:
        import llama_cpp

        @llama_cpp.llama_log_callback
        def drop(_level: int, _text: bytes, _data: object) -> None:
            return None

        self._drop = drop  # ctypes does not keep it alive
        llama_cpp.llama_log_set(drop, ctypes.c_void_p(0))

    def __exit__(self, *_exception: object) -> None:
        import llama_cpp
        from llama_cpp._logger import llama_log_callback

        llama_cpp.llama_log_set(llama_log_callback, ctypes.c_void_p(0))
