"""Batches of similar length, with the tokens made once."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from .examples import Example

MAX_TOKENS = 128
"""Longest text the encoder sees in training, in word pieces."""


@dataclass(frozen=True)
class Batch:
    """`input_ids`, `attention_mask` [batch, tokens]; `targets`, `weights` [batch, heads]."""

    input_ids: Tensor
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


class Batches:
    """Endless shuffled batches: each pass shuffles, sorts by length within chunks, and shuffles the batches."""

    def __init__(self, tokenizer: Tokenizer, rows: Sequence[Example], size: int, seed: int) -> None:
        self.ids = tokenise(tokenizer, [row.text for row in rows])
        self.targets = torch.tensor([row.targets for row in rows])
        self.weights = torch.tensor([row.weights for row in rows])
        self.size = size
        self.random = random.Random(seed)

    def __iter__(self) -> Iterator[Batch]:
        while True:
            order = list(range(len(self.ids)))
            self.random.shuffle(order)
            chunk = 20 * self.size
            groups: list[list[int]] = []
            for start in range(0, len(order), chunk):
                near = sorted(order[start : start + chunk], key=lambda row: len(self.ids[row]))
                groups.extend(near[at : at + self.size] for at in range(0, len(near), self.size))
            self.random.shuffle(groups)
            for group in groups:
                ids, mask = pad([self.ids[row] for row in group])
                yield Batch(ids, mask, self.targets[group], self.weights[group])
