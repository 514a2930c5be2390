"""Batches of similar length, with the lowest layers already applied."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from ..precision import autocast
from .encoder import Encoder
from .examples import Example

MAX_TOKENS = 128
"""Longest text the encoder sees in training, in word pieces."""


@dataclass(frozen=True)
class Batch:
    """`hidden` [batch, tokens, width], `attention_mask` [batch, tokens]; `targets`, `weights` [batch, heads]."""

    hidden: Tensor
    attention_mask: Tensor
    targets: Tensor
    weights: Tensor


def tokenise(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]


def pad(rows: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
    """Ids and mask, right-padded with 0 (`[PAD]`) to the longest row."""
    width = max(map(len, rows))
    ids = torch.zeros(len(rows), width, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
        mask[place, : len(row)] = 1
    return ids, mask


def by_length(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Places in groups of `size`, shortest first."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    for start in range(0, len(order), size):
        yield order[start : start + size]


class Examples:
    """Rows with their hidden states below the trained layers, which no step changes: computed once."""

    def __init__(
        self, encoder: Encoder, tokenizer: Tokenizer, rows: Sequence[Example], layers: int, *, bf16: bool
    ) -> None:
        self.targets = torch.tensor([row.targets for row in rows])
        self.weights = torch.tensor([row.weights for row in rows])
        ids = tokenise(tokenizer, [row.text for row in rows])
        found: dict[int, Tensor] = {}
        encoder.eval()
        with torch.no_grad(), autocast(enabled=bf16):
            for group in by_length([len(row) for row in ids], 64):
                hidden = encoder.lower(*pad([ids[row] for row in group]), layers)
                for place, row in enumerate(group):
                    # Half the memory; the rounding is far below what dropout does.
                    found[row] = hidden[place, : len(ids[row])].to(torch.bfloat16).clone()
        self.hidden = [found[row] for row in range(len(rows))]

    def batches(self, size: int, seed: int) -> Iterator[Batch]:
        """Endless: each pass shuffles, sorts by length within chunks, and shuffles the batches."""
        choose = random.Random(seed)
        while True:
            order = list(range(len(self.hidden)))
            choose.shuffle(order)
            groups: list[list[int]] = []
            for start in range(0, len(order), 20 * size):
                chunk = order[start : start + 20 * size]
                near = [
                    [chunk[at] for at in part]
                    for part in by_length([len(self.hidden[r]) for r in chunk], size)
                ]
                groups.extend(near)
            choose.shuffle(groups)
            for group in groups:
                yield self._batch(group)

    def _batch(self, group: list[int]) -> Batch:
        hidden = torch.nn.utils.rnn.pad_sequence([self.hidden[row] for row in group], batch_first=True)
        mask = torch.zeros(hidden.shape[:2], dtype=torch.int64)
        for place, row in enumerate(group):
            mask[place, : len(self.hidden[row])] = 1
        return Batch(hidden.float(), mask, self.targets[group], self.weights[group])
