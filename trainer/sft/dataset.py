"""Pairs as token sequences, their labels on the answer alone, and batches of them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...posi_core.errors import UsageError
from ..template import Template

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

IGNORED = -100
"""Label of a token that carries no loss, as everywhere in transformers."""


def read_pairs(path: Path) -> list[dict[str, str]]:
    """Rows with `toxic` and `clean` of a gzip JSON lines file. Raises UsageError when it cannot be used."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            rows = [json.loads(line) for line in stream if line.strip()]
    except (OSError, EOFError, ValueError) as error:
        raise UsageError(
            f"cannot read the training set {path} ({error}): run `posi data build` first"
        ) from None
    if not rows or any("toxic" not in row or "clean" not in row for row in rows):
        raise UsageError(f"{path} holds no pairs with `toxic` and `clean`: run `posi data build`")
    return rows


def encode(
    pairs: Sequence[Mapping[str, str]], tokenizer: Any, template: Template, max_tokens: int
) -> Dataset:
    """Columns `input_ids`, `labels` (IGNORED on the prompt) and `length`; pairs over `max_tokens` are left out."""
    from datasets import Dataset

    columns: dict[str, list[Any]] = {"input_ids": [], "labels": [], "length": []}
    for pair in pairs:
        prompt = template.prompt_ids(tokenizer, pair["toxic"])
        answer = template.answer_ids(tokenizer, pair["clean"])
        if len(prompt) + len(answer) > max_tokens:
            continue
        columns["input_ids"].append([*prompt, *answer])
        columns["labels"].append([*[IGNORED] * len(prompt), *answer])
        columns["length"].append(len(prompt) + len(answer))
    return Dataset.from_dict(columns)


def collate(rows: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
    """Right-padded tensors [batch, longest]: `input_ids`, `attention_mask`, `labels`."""
    import torch

    longest = max(len(row["input_ids"]) for row in rows)

    def padded(key: str, value: int) -> torch.Tensor:
        return torch.tensor([[*row[key], *[value] * (longest - len(row[key]))] for row in rows])

    mask = torch.tensor(
        [[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in rows]
    )
    return {
        "input_ids": padded("input_ids", pad_id),
        "attention_mask": mask,
        "labels": padded("labels", IGNORED),
    }
