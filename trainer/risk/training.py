"""Fine-tunes the risk network: each step one batch of image prompts and one of plain sentences."""

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

from ..precision import autocast
from .batches import Batch, Examples, by_length, pad, tokenise
from .encoder import Encoder
from .examples import HEADS
from .network import RiskNetwork

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class TrainingConfig:
    """Hyperparameters of one run.

    Attributes:
        frozen_layers: the embeddings and this many of the lowest layers stay as they are; their part is
            computed once for all steps and seeds.
        steps: optimiser steps; each sees `prompt_batch` prompts (I2P's and users') and `sentence_batch` sentences.
        learning_rate: of the top layer; each layer below has `layer_decay` times that of the one above.
        head_rate: learning rate of the heads.
        sentence_weight: weight of the loss on sentences.
        ranking: weight of the pairwise ranking losses on prompts (Burges et al. 2005).
        average_from: weights are averaged over the steps after this part of the run (Izmailov et al. 2018).
        bf16: autocast to bfloat16, where the CPU computes in it.
    """

    frozen_layers: int = 3
    steps: int = 500
    prompt_batch: int = 40
    sentence_batch: int = 20
    learning_rate: float = 2e-4
    layer_decay: float = 0.9
    head_rate: float = 1e-3
    warmup: float = 0.06
    weight_decay: float = 0.01
    sentence_weight: float = 0.7
    ranking: float = 0.5
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
    groups: list[dict[str, object]] = [{"params": list(network.heads.parameters()), "lr": config.head_rate}]
    for height, layer in enumerate(reversed(network.encoder.layers[config.frozen_layers :])):
        rate = config.learning_rate * config.layer_decay**height
        groups.append({"params": list(layer.parameters()), "lr": rate})
    return groups


def train(
    encoder: Encoder,
    prompts: Examples,
    sentences: Examples,
    config: TrainingConfig,
    *,
    seed: int = 0,
    report: Callable[[str], None] = print,
) -> RiskNetwork:
    """A new network on top of `encoder`, which is trained in place above its frozen layers.

    The examples must have been made with the same encoder and `config.frozen_layers`.
    """
    torch.manual_seed(seed)
    network = RiskNetwork(encoder).train()
    groups = _groups(network, config)
    trained: list[nn.Parameter] = [parameter for group in groups for parameter in group["params"]]  # type: ignore[attr-defined]
    optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay)

    def predict(batch: Batch) -> Tensor:
        with autocast(enabled=config.bf16):
            mean = encoder.upper(batch.hidden, batch.attention_mask, config.frozen_layers)
            return network.judge(mean).float()

    def rate(step: int) -> float:
        start = config.warmup * config.steps
        if step < start:
            return (step + 1) / (start + 1)
        return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * (step - start) / (config.steps - start)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    streams = zip(
        prompts.batches(config.prompt_batch, seed),
        sentences.batches(config.sentence_batch, seed + 1),
        strict=False,
    )
    average = [torch.zeros_like(parameter) for parameter in trained]
    averaged = 0
    began = time.monotonic()
    losses: list[tuple[float, float]] = []
    for step, (prompt, sentence) in zip(range(config.steps), streams, strict=False):
        logits = predict(prompt)
        loss = bernoulli_loss(logits, prompt)
        for column in (HEADS.index("share"), HEADS.index("gate")):
            loss = loss + config.ranking * ranking_loss(logits[:, column], prompt.targets[:, column])
        loss.backward()
        sentence_loss = bernoulli_loss(predict(sentence), sentence) * config.sentence_weight
        sentence_loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append((loss.item(), sentence_loss.item()))
        if step >= config.average_from * config.steps:
            averaged += 1
            for mean, value in zip(average, trained, strict=True):
                mean += (value.detach() - mean) / averaged
        if (step + 1) % 50 == 0:
            recent = np.mean(losses[-50:], axis=0)
            report(
                f"step {step + 1}/{config.steps} prompts {recent[0]:.3f} sentences {recent[1]:.3f} "
                f"{time.monotonic() - began:.0f} s"
            )
    if averaged:
        with torch.no_grad():
            for mean, value in zip(average, trained, strict=True):
                value.copy_(mean)
    return network.eval()


@torch.no_grad()
def head_logits(network: RiskNetwork, tokenizer: Tokenizer, texts: Sequence[str]) -> FloatArray:
    """Logits [texts, heads] of the network in evaluation mode."""
    network.eval()
    rows = tokenise(tokenizer, texts)
    logits = np.zeros((len(rows), len(HEADS)))
    for group in by_length([len(row) for row in rows], 64):
        logits[group] = network(*pad([rows[row] for row in group])).float().numpy()
    return logits
