"""`posi export`: from an adapter to one GGUF file that the rewriter runs as it is."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...posi_core.errors import UsageError
from ..adapter_note import read_note
from ..merge import Merged, load_merged
from ..template import Template
from .adapter import export_adapter
from .atomic import replacing, scratch_folder
from .converter import convert
from .gguf_file import open_gguf, posi_metadata, text_value, write_gguf
from .greedy import greedy_llama_cpp
from .layout import Layout
from .quantize import quant_type, quantize

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .distil import Answer

Progress = Callable[[str], None]

CALIBRATION = 192
"""Rewrites that the layers' inputs are measured on; all of them are then distilled."""


@dataclass(frozen=True)
class ExportRequest:
    """What to export. `base` overrides the one that the adapter names.

    `calibration` are prompts for types that are calibrated: the model rewrites them, and those texts are what it
    is rounded for. `lora_out` also writes the adapter alone. `converter` is llama.cpp's convert_hf_to_gguf.py.
    """

    adapter: Path
    out: Path
    kind: str = "q4_0"
    base: str | None = None
    calibration: Sequence[str] = ()
    lora_out: Path | None = None
    converter: Path | None = None
    threads: int | None = None


def export(request: ExportRequest, progress: Progress = lambda _line: None) -> Path:
    """Write the GGUF (whole or not at all) and return its path. UsageError or ModelFileError say what is wrong."""
    with Exporter(request, progress) as exporter:
        exporter.write(request.kind, request.out)
        if request.lora_out:
            exporter.write_lora(request.lora_out)
    return request.out


class Exporter:
    """A merged model and its unquantised GGUF in a scratch folder beside `request.out`, for one type or several."""

    def __init__(self, request: ExportRequest, progress: Progress) -> None:
        self._request, self._say = request, progress
        self._rounded: Path | None = None

    def __enter__(self) -> Exporter:
        request = self._request
        quant_type(request.kind)
        note = read_note(request.adapter)
        self.template: Template = note.template
        self._say("merging base and adapter")
        self.merged: Merged = load_merged(request.base or note.base, request.adapter)
        self._metadata = posi_metadata(note.template, note.commit) | {"general.name": "POSI rewriter"}
        self._scratch = scratch_folder(request.out)
        self._folder = self._scratch.__enter__()
        try:
            self._skeleton = self.merged.gguf or convert(self.merged, self._folder, request.converter)
            self._architecture = text_value(open_gguf(self._skeleton), "general.architecture") or ""
            self.unquantised = self._folder / "unquantised.gguf"
            self._write_tensors(self.merged.model, self.unquantised)
        except BaseException:
            self._scratch.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self._scratch.__exit__(None, None, None)

    def write(self, name: str, out: Path) -> None:
        """Write one type (a key of `quantize.TYPES`) to `out`."""
        kind = quant_type(name)
        source = self._round() if kind.calibrated else self.unquantised
        self._say(f"writing {out.name} ({name})")
        with replacing(out) as part:
            if kind.weights == "ALL_F32":
                shutil.copyfile(source, part)
            else:
                quantize(source, part, kind, threads=self._request.threads)

    def write_lora(self, out: Path) -> None:
        export_adapter(
            self._request.adapter,
            out,
            architecture=self._architecture,
            config=self.merged.model.config,
            metadata=self._metadata,
        )

    def _round(self) -> Path:
        if self._rounded is None:
            from .distil import distil
            from .rounding import calibrate

            answers = self._answers()
            rounded = copy.deepcopy(self.merged.model)
            grids = calibrate(
                rounded,
                [answer.tokens for answer in answers[:CALIBRATION]],
                on_layer=lambda done, all_: self._say(f"rounding layer {done} of {all_}"),
            )
            distil(
                rounded,
                self.merged.model,
                grids,
                answers,
                on_step=lambda done, all_, loss: self._say(f"distilling {done} of {all_}: {loss:.4f} nats"),
            )
            self._rounded = self._folder / "rounded.gguf"
            self._write_tensors(rounded, self._rounded)
        return self._rounded

    def _answers(self) -> list[Answer]:
        """The model's own rewrites of the calibration prompts: what it is rounded for."""
        from .distil import Answer

        prompts = self._request.calibration
        if not prompts:
            raise UsageError("this type is rounded on rewrites of prompts: name some with --calibration")
        self._say(f"rewriting {len(prompts)} prompts for calibration")
        nearly = self._folder / "nearly.gguf"  # Q8_0 answers as float32 does, three times as fast
        quantize(self.unquantised, nearly, quant_type("q8_0"), threads=self._request.threads)
        made = greedy_llama_cpp(nearly, prompts, threads=self._request.threads)
        nearly.unlink()
        tokenizer = self.merged.tokenizer
        return [
            Answer(self.template.prompt_ids(tokenizer, prompt), list(answer))
            for prompt, answer in zip(prompts, made.answers, strict=True)
            if answer
        ]

    def _write_tensors(self, model: Any, out: Path) -> None:
        write_gguf(self._skeleton, gguf_tensors(model, self._architecture), self._metadata, out)


def gguf_tensors(model: Any, architecture: str) -> dict[str, NDArray[np.float32]]:
    """The model's weights by GGUF name, float32, rows in GGUF order; a head tied to the embedding is left out."""
    import numpy as np

    layout = Layout(architecture, model.config)
    tied = model.config.tie_word_embeddings
    tensors: dict[str, NDArray[np.float32]] = {}
    for name, weight in model.state_dict().items():
        target = layout.name(name)
        if target is None or (tied and name == "lm_head.weight"):
            continue
        tensors[target] = np.ascontiguousarray(layout.rows(name)(weight.float().cpu().numpy()))
    return tensors
