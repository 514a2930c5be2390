"""One PPO update: score a rollout, shape rewards, estimate advantages, take clipped gradient steps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from . import formulas as f
from .config import PPOConfig
from .rollout import Rollout, select


@torch.no_grad()
def evaluate(model: Any, rollout: Rollout, config: PPOConfig, *, reference: bool) -> tuple[Tensor, Tensor]:
    """Log-probabilities and values of a rollout's answers under the policy, or the reference: both [B, T]."""
    logprobs = torch.zeros_like(rollout.mask)
    values = torch.zeros_like(rollout.mask)
    order = torch.argsort(rollout.attention.sum(1))
    for rows in order.split(config.minibatch):
        part = select(rollout, rows)
        width = part.answers.shape[1]
        logits, value = model(part.tokens, part.attention, part.starts, width, config.temperature, reference)
        logprobs[rows, :width] = f.token_logprobs(logits, part.answers) * part.mask
        values[rows, :width] = value * part.mask
    return logprobs, values


def update(
    model: Any,
    unwrapped: Any,
    optimizer: torch.optim.Optimizer,
    rollout: Rollout,
    scores: Tensor,
    kl_weight: float,
    config: PPOConfig,
    accelerator: Any,
) -> dict[str, float]:
    """Train on one rollout with scores [B]; returns the step's statistics (means over tokens or sequences).

    `model` may be wrapped for distributed training; `unwrapped` is the same model, used where no gradient flows.
    """
    unwrapped.eval()
    with accelerator.autocast():
        old_logprobs, old_values = evaluate(unwrapped, rollout, config, reference=False)
        reference, _ = evaluate(unwrapped, rollout, config, reference=True)
    rewards = f.shaped_rewards(scores, old_logprobs, reference, rollout.mask, kl_weight)
    advantages, returns = f.advantages_and_returns(
        rewards, old_values, rollout.mask, config.gamma, config.lam
    )
    advantages = f.masked_whiten(advantages, rollout.mask)

    totals: dict[str, float] = {}
    taken = 0
    model.train()
    for _ in range(config.ppo_epochs):
        for rows in _minibatches(rollout, config.minibatch):
            part = select(rollout, rows)
            width = part.answers.shape[1]
            with accelerator.autocast():
                logits, values = model(part.tokens, part.attention, part.starts, width, config.temperature)
            logprobs = f.token_logprobs(logits, part.answers)
            old = old_logprobs[rows, :width]
            surrogate, clipped = f.policy_loss(
                logprobs, old, advantages[rows, :width], part.mask, config.clip
            )
            critic = f.value_loss(
                values, old_values[rows, :width], returns[rows, :width], part.mask, config.value_clip
            )
            accelerator.backward(surrogate + config.value_weight * critic)
            norm = accelerator.clip_grad_norm_(model.parameters(), config.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            taken += 1
            with torch.no_grad():
                for name, value in (
                    ("policy_loss", surrogate),
                    ("value_loss", critic),
                    ("clip_fraction", clipped),
                    ("entropy", f.masked_mean(f.entropy(logits), part.mask)),
                    ("update_kl", f.approximate_kl(logprobs, old, part.mask)),
                    ("gradient_norm", norm),
                ):
                    totals[name] = totals.get(name, 0.0) + float(value)
    statistics = {name: value / taken for name, value in totals.items()}
    statistics["kl"] = float(f.sequence_kl(old_logprobs, reference, rollout.mask))
    statistics["kl_weight"] = kl_weight
    statistics["return"] = float(f.masked_mean(returns, rollout.mask))
    statistics["value"] = float(f.masked_mean(old_values, rollout.mask))
    return statistics


def _minibatches(rollout: Rollout, size: int) -> list[Tensor]:
    """Answers of similar length together, since padding costs time; the minibatches in random order."""
    lengths = rollout.attention.sum(1).float()
    groups = torch.argsort(lengths + torch.rand_like(lengths)).split(size)
    return [groups[place] for place in torch.randperm(len(groups)).tolist()]
