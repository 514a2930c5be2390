"""Sampling answers, and laying prompts and answers out as the update needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .config import PPOConfig


@dataclass(frozen=True)
class Rollout:
    """B sampled answers. tokens, attention: [B, L] right-padded; starts: [B]; answers, mask: [B, T].

    `finished[i]` says whether answer i ended by itself; the end token then counts as its last answer token.
    """

    tokens: Tensor
    attention: Tensor
    starts: Tensor
    answers: Tensor
    mask: Tensor
    texts: list[str]
    finished: list[bool]


@torch.no_grad()
def sample(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[list[int]],
    config: PPOConfig,
    stop: int,
    *,
    samples: int = 1,
    greedy: bool = False,
    banned: Tensor | None = None,
) -> Rollout:
    """`samples` answers to each tokenised prompt, next to each other; draws from torch's global generator.

    banned: bool [B, vocabulary], the tokens that each answer may not hold.

    `model.generate` would carry finished answers along until the longest is done, which is most of its time here.
    """
    from transformers import DynamicCache

    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else stop
    asked = [prompt for prompt in prompts for _ in range(samples)]
    answers: list[list[int]] = [[] for _ in asked]
    rows = torch.arange(len(asked), device=model.device)  # whose answers are still being written
    ids, attention = _left_padded(prompts, pad, model.device)
    positions = (attention.cumsum(1) - 1).clamp(min=0)
    warp = _warpers(config)
    cache = DynamicCache()
    for turn in range(config.max_new_tokens):
        # By position: the cache's keyword differs between versions of transformers.
        out = model(ids, attention, positions, cache, use_cache=True, logits_to_keep=1)
        logits = out.logits[:, -1].float()
        if turn == 0:  # the prompts were read once each
            cache.batch_repeat_interleave(samples)
            logits, attention, positions = (
                each.repeat_interleave(samples, dim=0) for each in (logits, attention, positions)
            )
        if banned is not None:
            logits = logits.masked_fill(banned[rows], -torch.inf)
        chosen = logits.argmax(-1) if greedy else drawn(warp(None, logits))
        going = torch.ones_like(rows, dtype=torch.bool)
        for place, (row, token) in enumerate(zip(rows.tolist(), chosen.tolist(), strict=True)):
            answers[row].append(token)
            going[place] = token != stop
        if not going.any():
            break
        attention = torch.cat([attention, attention.new_ones(len(rows), 1)], dim=1)
        positions = positions[:, -1:] + 1
        if not going.all():
            rows, chosen, attention, positions = (
                rows[going],
                chosen[going],
                attention[going],
                positions[going],
            )
            cache.batch_select_indices(going.nonzero().squeeze(1))
        ids = chosen[:, None]
    return lay_out(tokenizer, asked, answers, stop, pad, model.device)


def drawn(logits: Tensor) -> Tensor:
    """One token a row [B] from logits [B, V].

    By inverse transform on a CPU: `multinomial` draws a random number for every token of the vocabulary there, which
    takes longer than the model. A GPU's parallel sums need not rise monotonically, and it draws fast anyway.
    """
    chances = logits.softmax(-1)
    if chances.is_cuda:
        return torch.multinomial(chances, 1).squeeze(1)
    sums = chances.cumsum(-1)
    total = sums[:, -1:]
    point = torch.minimum(torch.rand_like(total) * total, total.nextafter(torch.zeros_like(total)))
    return torch.searchsorted(sums, point, right=True).squeeze(1)


def _left_padded(prompts: Sequence[list[int]], pad: int, device: Any) -> tuple[Tensor, Tensor]:
    width = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts], device=device)
    attention = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
    return ids, attention


def _warpers(config: PPOConfig) -> Any:
    from transformers import (
        LogitsProcessorList,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    chosen: list[Any] = [TemperatureLogitsWarper(config.temperature)]
    if config.top_k > 0:
        chosen.append(TopKLogitsWarper(config.top_k))
    if config.top_p < 1.0:
        chosen.append(TopPLogitsWarper(config.top_p))
    return LogitsProcessorList(chosen)


def lay_out(
    tokenizer: Any,
    prompts: Sequence[list[int]],
    answers: Sequence[list[int]],
    stop: int,
    pad: int,
    device: Any,
) -> Rollout:
    """Right-pad prompt + answer rows; an answer ends with `stop` when it finished."""
    rows = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
    length, longest = max(map(len, rows)), max(max(map(len, answers)), 1)
    finished = [bool(answer) and answer[-1] == stop for answer in answers]
    return Rollout(
        tokens=torch.tensor([row + [pad] * (length - len(row)) for row in rows], device=device),
        attention=torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows], device=device),
        starts=torch.tensor([len(prompt) for prompt in prompts], device=device),
        answers=torch.tensor([a + [pad] * (longest - len(a)) for a in answers], device=device),
        mask=torch.tensor([[1.0] * len(a) + [0.0] * (longest - len(a)) for a in answers], device=device),
        texts=[
            tokenizer.decode(a[:-1] if done else a, skip_special_tokens=True).strip()
            for a, done in zip(answers, finished, strict=True)
        ],
        finished=finished,
    )


def select(rollout: Rollout, rows: Tensor) -> Rollout:
    """The given rows, trimmed to the longest of them: padding costs time."""
    keep = rows.tolist()
    length = int(rollout.attention[rows].sum(1).max())
    longest = max(int(rollout.mask[rows].sum(1).max()), 1)
    return Rollout(
        tokens=rollout.tokens[rows, :length],
        attention=rollout.attention[rows, :length],
        starts=rollout.starts[rows],
        answers=rollout.answers[rows, :longest],
        mask=rollout.mask[rows, :longest],
        texts=[rollout.texts[i] for i in keep],
        finished=[rollout.finished[i] for i in keep],
    )
