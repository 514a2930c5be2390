"""Training the rounded model to answer as the unrounded one does (quantisation-aware distillation).

GPTQ rounds one layer at a time and cannot see what its errors do to the answer. Here the unrounded model is the
teacher: the weights behind the rounding move a little, those near the middle between two codes change sides, and the
loss is the teacher's own next-token distribution, KL(teacher || rounded) (Liu et al. 2023, LLM-QAT; the gradient
passes the rounding unchanged, Bengio et al. 2013). Scales stay, so the result still lies on the grid.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..precision import autocast
from .rounding import Grid, on_grid

BATCH = 8
LEARNING_RATE = 3e-5
_WARMUP = 5


@dataclass(frozen=True)
class Answer:
    """The tokens of a filled template, and of the unrounded model's answer with its stop token."""

    prompt: list[int]
    answer: list[int]

    @property
    def tokens(self) -> list[int]:
        return [*self.prompt, *self.answer]


class _Rounding(nn.Module):
    """Puts a linear layer's weight on the grid on each use; the gradient goes to the weight as it was before."""

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self.scales, self.anchored = grid.scales, grid.anchored

    def forward(self, latent: Tensor) -> Tensor:
        return latent + (on_grid(latent.detach(), self.scales, self.anchored) - latent).detach()


def distil(
    model: Any,
    teacher: Any,
    grids: Mapping[str, Grid],
    answers: Sequence[Answer],
    *,
    epochs: int = 1,
    learning_rate: float = LEARNING_RATE,
    on_step: Callable[[int, int, float], None] | None = None,
) -> None:
    """Train `model` in place; afterwards its layers named in `grids` lie on their grids again.

    `on_step` gets the steps done, all steps, and the step's loss in nats a token. Raises FloatingPointError when
    the loss is not a number.
    """
    for parameter in [*model.parameters(), *teacher.parameters()]:
        parameter.requires_grad_(False)
    layers = {name: model.get_submodule(name) for name in grids}
    for name, layer in layers.items():
        layer.weight.data = grids[name].latent.clone()
        layer.weight.requires_grad_(True)
    latents = [layer.weight for layer in layers.values()]
    for name, layer in layers.items():
        parametrize.register_parametrization(layer, "weight", _Rounding(grids[name]), unsafe=True)
    optimizer = torch.optim.AdamW(latents, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    batches = [batch for epoch in range(epochs) for batch in _batches(answers, epoch)]
    for done, batch in enumerate(batches, 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min(done / _WARMUP, 1.0) * (1.0 - (done - 1) / len(batches))
        with torch.enable_grad(), autocast():
            with torch.no_grad():
                wanted = _answer_logits(teacher, batch).float().log_softmax(-1)
            given = _answer_logits(model, batch).float().log_softmax(-1)
            loss = (wanted.exp() * (wanted - given)).sum(-1).mean()
        if not torch.isfinite(loss):
            raise FloatingPointError(f"distillation: the loss of step {done} is {loss.item()}")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(latents, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if on_step:
            on_step(done, len(batches), float(loss.detach()))
    for name, layer in layers.items():
        grid = grids[name]
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
        layer.weight.data = on_grid(layer.weight.detach(), grid.scales, grid.anchored)


def _batches(answers: Sequence[Answer], epoch: int) -> list[list[Answer]]:
    """Answers of similar length together, since padding costs time; the batches in random order."""
    shuffle = random.Random(epoch).shuffle
    mixed = list(answers)
    shuffle(mixed)
    mixed.sort(key=lambda answer: len(answer.tokens) // 8)
    batches = [mixed[start : start + BATCH] for start in range(0, len(mixed), BATCH)]
    shuffle(batches)
    return batches


def _answer_logits(model: Any, batch: Sequence[Answer]) -> Tensor:
    """Logits [answer tokens of the whole batch, vocabulary] at the positions that predict them."""
    longest = max(len(answer.tokens) for answer in batch)
    ids = torch.tensor([[*answer.tokens, *[0] * (longest - len(answer.tokens))] for answer in batch])
    # Causal attention, padding at the right: no mask is needed.
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    picked = [
        hidden[row, len(answer.prompt) - 1 : len(answer.tokens) - 1] for row, answer in enumerate(batch)
    ]
    logits: Tensor = model.lm_head(torch.cat(picked))
    return logits
