"""Base models: by hub id, local folder, GGUF file, or the GGUF inside an installed Python package."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..posi_core.errors import ModelFileError

_PACKAGE = "package:"


@dataclass(frozen=True)
class Base:
    """A loaded base. `gguf` is the file it was read from, None for a hub id or a folder."""

    model: Any
    tokenizer: Any
    gguf: Path | None


def find_gguf(source: str) -> Path | None:
    """The GGUF file that `source` names, None when it names a hub id or a folder of transformers files.

    `package:NAME` is the one `.gguf` inside the installed package NAME, which is not imported.
    Raises ModelFileError when the file or package is not there.
    """
    if source.startswith(_PACKAGE):
        name = source.removeprefix(_PACKAGE)
        spec = importlib.util.find_spec(name)
        folders = list(spec.submodule_search_locations or []) if spec else []
        files = sorted(file for folder in folders for file in Path(folder).glob("*.gguf"))
        if not files:
            raise ModelFileError(
                f"no .gguf in a package {name!r}: pip install {name.replace('_', '-')}, or name another base"
            )
        return files[0]
    if not source.endswith(".gguf"):
        return None
    path = Path(source)
    if not path.is_file():
        raise ModelFileError(f"no base model at {path}: check the path")
    return path


def load_base(source: str, *, dtype: Any) -> Base:
    """Load model and tokenizer; a GGUF is dequantised. `dtype` is a torch dtype.

    Raises ModelFileError when it is not there or cannot be read.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # a second of loading needs none, and it is written over our own lines
    gguf = find_gguf(source)
    try:
        if gguf is None:
            tokenizer = AutoTokenizer.from_pretrained(source)
            return Base(AutoModelForCausalLM.from_pretrained(source, dtype=dtype), tokenizer, None)
        folder, file = str(gguf.parent), gguf.name
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
        # In float32 and rounded below: of a type that its own packed kernels do not take, transformers warns.
        loaded = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelFileError(
            f"cannot load the base model {source} ({error}): check its name or file"
        ) from error
    # A fresh model of the same weights: the loaded one is marked as a GGUF model and refuses to be saved.
    loaded.config.quantization_config = None
    del loaded.config.quantization_config
    fresh = LlamaForCausalLM(loaded.config).to(dtype)
    fresh.load_state_dict(loaded.state_dict())
    fresh.tie_weights()
    return Base(fresh, tokenizer, gguf)


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_threads(threads: int | None) -> int:
    """Set PyTorch's thread count (None: every core that this process may use); returns it."""
    import torch

    count = threads or cores()
    torch.set_num_threads(count)
    return count
