"""Pairs as token sequences, their labels on the answer alone, and batches of them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
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
    pairs: Sequence[Mapping[str, str]],
    tokenizer: Any,
    template: Template,
    *,
    max_tokens: int,
    edit_weight: float = 1.0,
) -> Dataset:
    """Columns `input_ids`, `labels` (IGNORED on the prompt), `weights` and `length`; long pairs are left out.

    Most answer tokens copy the prompt, so a model learns to copy long before it learns what to change: where the
    answer departs from copying, a token weighs `edit_weight` times the others. Weights average 1 over the set.
    """
    from datasets import Dataset

    columns: dict[str, list[Any]] = {"input_ids": [], "labels": [], "weights": [], "length": []}
    for pair in pairs:
        prompt = template.prompt_ids(tokenizer, pair["toxic"])
        answer = template.answer_ids(tokenizer, pair["clean"])
        if len(prompt) + len(answer) > max_tokens:
            continue
        departs = departures(template.answer_ids(tokenizer, pair["toxic"]), answer)
        columns["input_ids"].append([*prompt, *answer])
        columns["labels"].append([*[IGNORED] * len(prompt), *answer])
        columns["weights"].append([*[0.0] * len(prompt), *(edit_weight if edit else 1.0 for edit in departs)])
        columns["length"].append(len(prompt) + len(answer))
    total = sum(sum(weights) for weights in columns["weights"])
    tokens = sum(label != IGNORED for labels in columns["labels"] for label in labels)
    scale = tokens / total if total else 1.0
    columns["weights"] = [[weight * scale for weight in weights] for weights in columns["weights"]]
    return Dataset.from_dict(columns)


def departures(copied: Sequence[int], answer: Sequence[int]) -> list[bool]:
    """For each answer token: is it other than what copying on would give?

    True inside a replacement or insertion, and on the first token after a stretch that was left out or replaced,
    since going on there is a decision too.
    """
    departs = [False] * len(answer)
    expected = 0  # index into `copied` of the token that copying on would give
    matcher = SequenceMatcher(None, copied, answer, autojunk=False)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            departs[new_start] = start != expected
            expected = end
        else:
            departs[new_start:new_end] = [True] * (new_end - new_start)
            if new_end > new_start:
                expected = -1
    return departs


def collate(rows: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
    """Right-padded tensors [batch, longest]: `input_ids`, `attention_mask`, `labels`, `weights`."""
    import torch

    longest = max(len(row["input_ids"]) for row in rows)

    def padded(key: str, value: float) -> torch.Tensor:
        return torch.tensor([[*row[key], *[value] * (longest - len(row[key]))] for row in rows])

    mask = torch.tensor(
        [[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in rows]
    )
    return {
        "input_ids": padded("input_ids", pad_id),
        "attention_mask": mask,
        "labels": padded("labels", IGNORED),
        "weights": padded("weights", 0.0),
    }
