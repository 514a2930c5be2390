"""The mathematics of PPO on token sequences, one function each.

Shapes: B sequences of T answer tokens; every tensor is [B, T] unless said otherwise. `mask` is 1.0 on real answer
tokens (the end-of-sequence token included) and 0.0 on padding; padding never influences a result.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `values` where `mask` is 1; 0 where the mask is empty. Returns a scalar tensor."""
    return (values * mask).sum() / mask.sum().clamp(min=1.0)


def masked_whiten(values: Tensor, mask: Tensor, *, shift_mean: bool = True) -> Tensor:
    """Scale to unit variance over the masked entries, and to mean 0 unless `shift_mean` is False.

    The variance is the unbiased one (n - 1), as in OpenAI's and TRL's code.
    """
    mean = masked_mean(values, mask)
    count = mask.sum()
    variance = masked_mean((values - mean) ** 2, mask) * count / (count - 1).clamp(min=1.0)
    whitened = (values - mean) * torch.rsqrt(variance + 1e-8)
    if not shift_mean:
        whitened = whitened + mean
    return whitened * mask


def token_logprobs(logits: Tensor, tokens: Tensor) -> Tensor:
    """log p(token) for logits [B, T, V] and tokens [B, T] (int64). Returns float32 [B, T]."""
    logits = logits.float()
    chosen = logits.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
    return chosen - torch.logsumexp(logits, dim=-1)


def entropy(logits: Tensor) -> Tensor:
    """Entropy in nats of each softmax distribution: logits [B, T, V] -> float32 [B, T]."""
    logprobs = torch.log_softmax(logits.float(), dim=-1)
    return -(logprobs.exp() * logprobs).sum(-1)


def shaped_rewards(
    scores: Tensor, logprobs: Tensor, reference_logprobs: Tensor, mask: Tensor, kl_weight: float
) -> Tensor:
    """Per-token rewards of RLHF (Ziegler et al. 2019, eq. 2).

    -kl_weight * (log pi - log pi_ref) on every token, plus the sequence's score [B] on its last real token.
    """
    rewards = -kl_weight * (logprobs - reference_logprobs) * mask
    last = (mask.sum(dim=1).long() - 1).clamp(min=0)
    rows = torch.arange(len(scores), device=scores.device)
    rewards[rows, last] += scores * (mask.sum(dim=1) > 0)
    return rewards


def leave_one_out(scores: Tensor, samples: int) -> Tensor:
    """Each score less the mean of its prompt's other scores (RLOO, Ahmadian et al. 2024, eq. 9).

    scores: [B], the `samples` answers of a prompt next to each other. Returns [B].
    """
    groups = scores.view(-1, samples)
    others = (groups.sum(1, keepdim=True) - groups) / (samples - 1)
    return (groups - others).reshape(-1)


def guided_gains(scores: Tensor, guided: Tensor, samples: int) -> Tensor:
    """`leave_one_out` among a prompt's free answers; a guided one gains what it scores above their mean, never less
    than 0: the policy would not have said it, and need not unlearn it.

    scores, guided: [B], the `samples` answers of a prompt next to each other, at least two of them free. Returns [B].
    """
    groups, free = scores.view(-1, samples), 1.0 - guided.view(-1, samples).to(scores)
    total, count = (groups * free).sum(1, keepdim=True), free.sum(1, keepdim=True)
    own = groups - (total - groups) / (count - 1)
    above = (groups - total / count).clamp(min=0.0)
    return torch.where(free > 0, own, above).reshape(-1)


def most_telling(gains: Tensor, samples: int, count: int) -> Tensor:
    """Where the `count` answers of each prompt with the highest and the lowest gains are, half of each.

    Of all choices of so many it is the one whose gains vary most, and those between teach little (PODS, Xu et al.
    2025, arXiv 2504.13818). gains: [B], the `samples` answers of a prompt next to each other. Returns rising places,
    [B / samples * count]; of an odd count one more of the highest.
    """
    order = gains.view(-1, samples).argsort(dim=1, stable=True)
    lowest = count // 2
    chosen = torch.cat([order[:, :lowest], order[:, samples - (count - lowest) :]], dim=1)
    first = torch.arange(len(order), device=gains.device)[:, None] * samples
    return (first + chosen).sort(1).values.reshape(-1)


def advantages_and_returns(
    rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation (Schulman et al. 2016, eq. 16), episodes ending at the mask's end.

    delta_t = r_t + gamma * V_{t+1} - V_t;  A_t = delta_t + gamma * lam * A_{t+1};  return_t = A_t + V_t.
    """
    rewards, values = rewards * mask, values * mask
    advantage = torch.zeros_like(rewards[:, 0])
    columns: list[Tensor] = []
    length = rewards.shape[1]
    for t in reversed(range(length)):
        following = values[:, t + 1] if t + 1 < length else torch.zeros_like(advantage)
        delta = rewards[:, t] + gamma * following - values[:, t]
        advantage = (delta + gamma * lam * advantage) * mask[:, t]
        columns.append(advantage)
    advantages = torch.stack(columns[::-1], dim=1)
    return advantages, (advantages + values) * mask


def policy_loss(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, mask: Tensor, clip: float
) -> tuple[Tensor, Tensor]:
    """Clipped surrogate objective (Schulman et al. 2017, eq. 7), negated.

    Returns the scalar loss and the share of tokens at which the clipped branch is the active one.
    """
    ratio = torch.exp(logprobs - old_logprobs)
    plain = -advantages * ratio
    clipped = -advantages * ratio.clamp(1.0 - clip, 1.0 + clip)
    share = masked_mean((clipped > plain).float(), mask)
    return masked_mean(torch.maximum(plain, clipped), mask), share


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, mask: Tensor, clip: float) -> Tensor:
    """Half the squared error, the larger of the plain and the clipped one (as in OpenAI's baselines). Scalar."""
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    error = torch.maximum((values - returns) ** 2, (clipped - returns) ** 2)
    return 0.5 * masked_mean(error, mask)


def approximate_kl(logprobs: Tensor, old_logprobs: Tensor, mask: Tensor) -> Tensor:
    """Schulman's low-variance, never negative estimator of KL(old || new): mean of (ratio - 1) - log ratio."""
    log_ratio = logprobs - old_logprobs
    return masked_mean(torch.expm1(log_ratio) - log_ratio, mask)


def sequence_kl(logprobs: Tensor, reference_logprobs: Tensor, mask: Tensor) -> Tensor:
    """Mean over sequences of the summed log ratio to the reference: the KL that the controller steers. Scalar."""
    return ((logprobs - reference_logprobs) * mask).sum(dim=1).mean()


@dataclass
class AdaptiveKL:
    """The KL controller of Ziegler et al. 2019 (section 2.2): weight *= 1 + clip(kl/target - 1, -0.2, 0.2) * n/horizon.

    `target` is in nats a sequence, `horizon` in sequences.
    """

    weight: float
    target: float
    horizon: float

    def update(self, kl: float, sequences: int) -> None:
        error = min(max(kl / self.target - 1.0, -0.2), 0.2)
        self.weight *= 1.0 + error * sequences / self.horizon
