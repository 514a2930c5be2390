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
    greedy: bool = False,
) -> Rollout:
    """Answers to tokenised prompts from `model.generate`; draws from torch's global generator."""
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else stop
    device = model.device
    width = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts], device=device)
    attention = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
    sampling: dict[str, Any] = {"do_sample": False}
    if not greedy:
        sampling = {
            "do_sample": True,
            "temperature": config.temperature,
            "top_p": config.top_p,
            "top_k": config.top_k,
        }
    output = model.generate(
        input_ids=ids,
        attention_mask=attention,
        max_new_tokens=config.max_new_tokens,
        eos_token_id=stop,
        pad_token_id=pad,
        **sampling,
    )
    answers = [_until(row, stop) for row in output[:, width:].tolist()]
    return lay_out(tokenizer, prompts, answers, stop, pad, device)


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


def _until(tokens: list[int], stop: int) -> list[int]:
    return tokens[: tokens.index(stop) + 1] if stop in tokens else tokens
