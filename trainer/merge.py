"""Base and adapter merged into one float32 model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..posi_core.errors import ModelFileError
from .base import load_base


@dataclass(frozen=True)
class Merged:
    """A float32 transformers model with the adapter in its weights. `gguf` is the base's file if it is one."""

    model: Any
    tokenizer: Any
    gguf: Path | None


def load_merged(base: str, adapter: Path | None) -> Merged:
    """Raises ModelFileError when base or adapter is missing or they do not fit each other; None is the base alone."""
    import torch
    from peft import PeftModel
    from safetensors import SafetensorError

    loaded = load_base(base, dtype=torch.float32)
    if adapter is None:
        return Merged(loaded.model.eval(), loaded.tokenizer, loaded.gguf)
    try:
        model = PeftModel.from_pretrained(loaded.model, str(adapter), autocast_adapter_dtype=True).float()
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelFileError(f"the adapter {adapter} does not fit the base {base}: {error}") from error
    return Merged(model.merge_and_unload().eval(), loaded.tokenizer, loaded.gguf)
