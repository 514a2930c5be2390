"""A weighted sum of rewards, every part logged under its reward's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...posi_core.errors import UsageError
from .protocol import Reward, RewardBatch


class MixedReward:
    """score = sum of weight * score over `rewards` (name -> reward and weight)."""

    def __init__(self, rewards: Mapping[str, tuple[Reward, float]]) -> None:
        if not rewards:
            raise UsageError("mixed reward: no rewards given; name at least one with its weight")
        self.rewards = dict(rewards)

    def __call__(self, originals: Sequence[str], rewrites: Sequence[str]) -> RewardBatch:
        total = np.zeros(len(rewrites), dtype=np.float32)
        parts = {}
        for name, (reward, weight) in self.rewards.items():
            batch = reward(originals, rewrites)
            total += weight * batch.scores
            parts[name] = batch.scores
            parts.update({f"{name}/{part}": values for part, values in batch.parts.items()})
        return RewardBatch(total, parts)
