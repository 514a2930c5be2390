"""What lies beside an adapter to say where it belongs: base, prompt template, training commit."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from ..posi_core.errors import ModelFileError, UsageError
from .template import Template

NOTE_FILE = "posi.json"


@dataclass(frozen=True)
class AdapterNote:
    """What an adapter was trained on and with: its base, prompt template and commit (posi.json beside it)."""

    base: str
    template: Template
    commit: str

    def write(self, folder: Path) -> None:
        """Put the note beside the adapter in `folder`, and the base's name where PEFT left its place on the machine."""
        config = folder / "adapter_config.json"
        if config.is_file():
            settings = json.loads(config.read_text(encoding="utf-8"))
            settings["base_model_name_or_path"] = self.base
            config.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
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


def require_template(folder: Path, template: Template) -> None:
    """Raises UsageError when the adapter in `folder` was trained with another template, ModelFileError as above."""
    if read_note(folder).template != template:
        raise UsageError(f"the adapter {folder} was trained with another template: copy its {NOTE_FILE}'s")
