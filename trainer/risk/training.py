"""Fine-tunes the risk network: each step one batch of I2P and one of everything else."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from .batches import Batch, Batches, pad, tokenise
from .encoder import Encoder
from .examples import HEADS, Example
from .network import RiskNetwork

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class TrainingConfig:
    """Hyperparameters of one run.

    Attributes:
        steps: optimiser steps; each sees `i2p_batch` rows of I2P and `rest_batch` others.
        learning_rate: of the top layer; each layer below has `layer_decay` times that of the one above.
        head_rate: learning rate of the heads.
        rest_weight: weight of the loss on everything but I2P.
        ranking: weight of the pairwise ranking loss on I2P's shares (Burges et al. 2005).
        average_from: weights are averaged over the steps after this part of the run (Izmailov et al. 2018).
        bf16: autocast to bfloat16.
    """

    steps: int = 500
    i2p_batch: int = 24
    rest_batch: int = 24
    learning_rate: float = 1e-4
    layer_decay: float = 0.85
    head_rate: float = 1e-3
    warmup: float = 0.06
    weight_decay: float = 0.01
    rest_weight: float = 1.0
    ranking: float = 0.3
    average_from: float = 0.6
    bf16: bool = True


def bernoulli_loss(logits: Tensor, batch: Batch) -> Tensor:
    """Weighted cross-entropy against soft targets, summed over heads, mean over rows."""
    loss = nn.functional.binary_cross_entropy_with_logits(logits, batch.targets, reduction="none")
    return (loss * batch.weights).sum() / len(logits)


def ranking_loss(logits: Tensor, targets: Tensor, *, margin: float = 0.15) -> Tensor:
    """Mean logistic loss over pairs whose targets differ by more than `margin` (RankNet)."""
    wanted = targets[:, None] - targets[None, :] > margin
    if not bool(wanted.any()):
        return logits.sum() * 0.0
    return nn.functional.softplus(-(logits[:, None] - logits[None, :])[wanted]).mean()


def _groups(network: RiskNetwork, config: TrainingConfig) -> list[dict[str, object]]:
    depth = len(network.encoder.layers)
    groups: list[dict[str, object]] = [{"params": list(network.heads.parameters()), "lr": config.head_rate}]
    for number, layer in enumerate(network.encoder.layers):
        rate = config.learning_rate * config.layer_decay ** (depth - 1 - number)
        groups.append({"params": list(layer.parameters()), "lr": rate})
    rest = [network.encoder.words, network.encoder.positions, network.encoder.norm]
    rate = config.learning_rate * config.layer_decay**depth
    groups.append({"params": [p for module in rest for p in module.parameters()], "lr": rate})
    return groups


def train(
    encoder: Encoder,
    tokenizer: Tokenizer,
    i2p: Sequence[Example],
    rest: Sequence[Example],
    config: TrainingConfig,
    *,
    seed: int = 0,
    report: Callable[[str], None] = print,
) -> RiskNetwork:
    """A new network on top of `encoder`, which is trained in place. Same seed and threads, same weights."""
    torch.manual_seed(seed)
    network = RiskNetwork(encoder).train()
    optimizer = torch.optim.AdamW(_groups(network, config), weight_decay=config.weight_decay)

    def rate(step: int) -> float:
        start = config.warmup * config.steps
        if step < start:
            return (step + 1) / (start + 1)
        return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * (step - start) / (config.steps - start)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    streams = zip(
        Batches(tokenizer, i2p, config.i2p_batch, seed),
        Batches(tokenizer, rest, config.rest_batch, seed + 1),
        strict=False,
    )
    average: dict[str, Tensor] = {}
    averaged = 0
    began = time.monotonic()
    losses: list[tuple[float, float]] = []
    for step, (measured, other) in zip(range(config.steps), streams, strict=False):
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
            logits = network(measured.input_ids, measured.attention_mask).float()
        loss = bernoulli_loss(logits, measured)
        if config.ranking:
            column = HEADS.index("share")
            loss = loss + config.ranking * ranking_loss(logits[:, column], measured.targets[:, column])
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
            logits = network(other.input_ids, other.attention_mask).float()
        rest_loss = bernoulli_loss(logits, other) * config.rest_weight
        rest_loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append((loss.item(), rest_loss.item()))
        if step >= config.average_from * config.steps:
            averaged += 1
            for name, value in network.state_dict().items():
                kept = average.setdefault(name, torch.zeros_like(value))
                kept += (value - kept) / averaged
        if (step + 1) % 50 == 0:
            recent = np.mean(losses[-50:], axis=0)
            report(
                f"step {step + 1}/{config.steps} i2p {recent[0]:.3f} rest {recent[1]:.3f} "
                f"{time.monotonic() - began:.0f} s"
            )
    if average:
        network.load_state_dict(average)
    return network.eval()


@torch.no_grad()
def head_logits(network: RiskNetwork, tokenizer: Tokenizer, texts: Sequence[str]) -> FloatArray:
    """Logits [texts, heads] of the network in evaluation mode."""
    network.eval()
    rows = tokenise(tokenizer, texts)
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    logits = np.zeros((len(rows), len(HEADS)))
    for start in range(0, len(order), 64):
        group = order[start : start + 64]
        logits[group] = network(*pad([rows[row] for row in group])).float().numpy()
    return logits
