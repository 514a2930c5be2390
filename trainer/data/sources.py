"""The source files that the training sets are built from: JSON lines, gzip, one file a source."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...posi_core.errors import UsageError


@dataclass(frozen=True)
class Source:
    """One source: its columns (a row without one of them is an error) and where it comes from."""

    name: str
    columns: tuple[str, ...]
    origin: str
    license: str

    @property
    def file(self) -> str:
        return f"{self.name}.jsonl.gz"


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source("posi_sft", ("toxic", "clean"), "github.com/Wu-Zongyu/POSI", "Apache-2.0"),
        Source("posi_ppo", ("prompt",), "github.com/Wu-Zongyu/POSI", "Apache-2.0"),
        Source("posi_test", ("prompt",), "github.com/Wu-Zongyu/POSI", "Apache-2.0"),
        Source(
            "i2p",
            (
                "prompt",
                "categories",
                "inappropriate_percentage",
                "nudity_percentage",
                "q16_percentage",
                "prompt_toxicity",
            ),
            "hf.co/datasets/AIML-TUDA/i2p",
            "MIT",
        ),
        Source("coprov2_pairs", ("toxic", "clean", "category"), "github.com/Visualignment/SafetyDPO", "MIT"),
        Source("coco_captions", ("prompt",), "COCO 2017 captions, cocodataset.org", "CC-BY-4.0"),
        Source("user_prompts", ("prompt",), "github.com/THUDM/ImageReward (DiffusionDB)", "Apache-2.0"),
    )
}


def load_source(directory: str | Path, name: str) -> list[dict[str, Any]]:
    """The rows of one source, in file order.

    Raises:
        UsageError: unknown name, missing or damaged file, or a row without one of the source's columns.
    """
    if name not in SOURCES:
        raise UsageError(f"unknown data source {name!r}: choose one of {', '.join(SOURCES)}")
    source = SOURCES[name]
    path = Path(directory) / source.file
    try:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            rows: list[dict[str, Any]] = [json.loads(line) for line in stream if line.strip()]
    except FileNotFoundError:
        raise UsageError(
            f"no {source.file} in {directory}: name the folder that holds it with --source, "
            "or let `posi data build` download the public originals"
        ) from None
    except (OSError, EOFError, ValueError) as error:
        raise UsageError(f"{path} is damaged ({error}): fetch it again") from None
    for number, row in enumerate(rows, 1):
        missing = [column for column in source.columns if column not in row]
        if missing:
            raise UsageError(f"{path} row {number} has no {', '.join(missing)}: fetch it again")
    return rows


def write_rows(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as gzip JSON lines; the same rows give the same bytes (no time stamp in the header)."""
    path = Path(path)
    with path.open("wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as stream:
        for row in rows:
            stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8"))
