"""What a reward is: original prompts and their rewrites in, one score each and its parts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class RewardBatch:
    """Scores of a batch.

    `scores` has shape [B] (higher is better); every array in `parts` has shape [B] too, is logged under its name,
    and is what the score was made of before weighting.
    """

    scores: Scores
    parts: Mapping[str, Scores] = field(default_factory=dict)


class Reward(Protocol):
    """Judges rewrites against the ORIGINAL prompts, so that keeping what the user meant is worth something."""

    def __call__(self, originals: Sequence[str], rewrites: Sequence[str]) -> RewardBatch:
        """Both sequences have length B. Raises PosiError when it cannot judge; it never guesses a score."""
        ...
