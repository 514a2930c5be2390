"""The adapter's own description, and base and adapter merged into one float32 model."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...posi_core.errors import ModelFileError
from ..base import load_base
from ..template import Template

NOTE_FILE = "posi.json"


@dataclass(frozen=True)
class AdapterNote:
    """What an adapter was trained on and with: its base, prompt template and commit (posi.json beside it)."""

    base: str
    template: Template
    commit: str

    def write(self, folder: Path) -> None:
        (folder / NOTE_FILE).write_text(
            json.dumps(dataclasses.asdict(self), indent=1) + "\n", encoding="utf-8"
        )


def read_note(folder: Path) -> AdapterNote:
    """Raises ModelFileError when the folder holds no adapter of ours."""
    path = folder / NOTE_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return AdapterNote(data["base"], Template(**data["template"]), data["commit"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(
            f"cannot read {path} ({error!r}): name a folder that `posi train sft` wrote (its `adapter`)"
        ) from None


@dataclass(frozen=True)
class Merged:
    """A float32 transformers model with the adapter in its weights. `gguf` is the base's file if it is one."""

    model: Any
    tokenizer: Any
    gguf: Path | None


def load_merged(base: str, adapter: Path) -> Merged:
    """Raises ModelFileError when base or adapter is missing or they do not fit each other."""
    import torch
    from peft import PeftModel

    loaded = load_base(base, dtype=torch.float32)
    try:
        model = PeftModel.from_pretrained(loaded.model, str(adapter), autocast_adapter_dtype=True).float()
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"the adapter {adapter} does not fit the base {base}: {error}") from error
    return Merged(model.merge_and_unload().eval(), loaded.tokenizer, loaded.gguf)
