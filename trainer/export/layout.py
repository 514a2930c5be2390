"""From transformers' tensor names and row order to those of GGUF."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...posi_core.errors import ModelFileError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def rotary_rows(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of a query or key projection in llama.cpp's order; weight is [heads * width, ...].

    Rotary embeddings turn pairs of a head's rows. transformers pairs row i with row i + width/2, GGUF's llama
    architecture row 2i with row 2i + 1 (`permute` in llama.cpp's convert_hf_to_gguf.py).
    """
    split = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return split.swapaxes(1, 2).reshape(weight.shape)


class Layout:
    """Names and row orders for one model; `config` is its transformers config."""

    def __init__(self, architecture: str, config: Any) -> None:
        """Raises ModelFileError for an architecture that gguf does not know."""
        import gguf

        known = {name: arch for arch, name in gguf.MODEL_ARCH_NAMES.items()}
        if architecture not in known:
            raise ModelFileError(f"unknown GGUF architecture {architecture!r}: update the gguf package")
        self._names = gguf.get_tensor_name_map(known[architecture], config.num_hidden_layers)
        self._heads = config.num_attention_heads
        self._key_heads = getattr(config, "num_key_value_heads", None) or self._heads
        self._rotary = architecture == "llama"

    def name(self, name: str) -> str | None:
        """The GGUF name of a transformers tensor ("….weight"), None for one that GGUF does not hold."""
        found: str | None = self._names.get_name(name, try_suffixes=(".weight", ".bias"))
        return found

    def rows(self, name: str) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
        """What to do to a tensor's rows; `name` is the transformers name."""
        if self._rotary and ".q_proj." in name:
            return lambda weight: rotary_rows(weight, self._heads)
        if self._rotary and ".k_proj." in name:
            return lambda weight: rotary_rows(weight, self._key_heads)
        return lambda weight: weight
