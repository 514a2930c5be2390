"""The recipe of a scorer: one TOML file, every key with a default, unknown keys refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...posi_core.errors import UsageError
from .. import recipe
from .examples import HEADS
from .templates import MOST_EACH
from .training import TrainingConfig


@dataclass(frozen=True)
class RiskRecipe:
    """What `posi train risk` does.

    Attributes:
        seeds: one training run each; the weights of all runs are averaged (Wortsman et al. 2022).
        user_prior: users' prompts get this part of the share that a linear model of I2P predicts for them.
        pairs: how many of CoProV2's pairs to train on, at most.
        short: how many short plain sentences to make of each pattern.
        hard_cases: the part of the texts, in [0, 1], that are shown once more with words of clean texts strewn in.
        diluted: the part of the texts, in [0, 1], that are shown once more among harmless captions.
        rounds: how often to train, anew each time; from the second on, the words that lower the last scorer's
            prediction most are strewn in as well.
        mix: how much of each head goes into the overall risk; those left out do not.
        training: hyperparameters of each run.
    """

    seeds: tuple[int, ...] = (0,)
    user_prior: float = 0.5
    pairs: int = 4000
    short: int = 3
    hard_cases: float = 0.0
    diluted: float = 0.0
    rounds: int = 1
    mix: Mapping[str, float] = field(default_factory=lambda: {"share": 1.0, "q16": 1.0, "nudity": 0.5})
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        if not self.seeds:
            raise UsageError("seeds is empty: name at least one")
        if not 0 <= self.user_prior <= 1:
            raise UsageError(f"user_prior is {self.user_prior!r}: a number from 0 to 1")
        if not 0 <= self.short <= MOST_EACH:
            raise UsageError(f"short is {self.short!r}: a whole number from 0 to {MOST_EACH}")
        if not 0 <= self.hard_cases <= 1:
            raise UsageError(f"hard_cases is {self.hard_cases!r}: a number from 0 to 1")
        if not 0 <= self.diluted <= 1:
            raise UsageError(f"diluted is {self.diluted!r}: a number from 0 to 1")
        if self.rounds < 1:
            raise UsageError(f"rounds is {self.rounds!r}: at least 1")
        for head in self.mix:
            if head not in HEADS:
                raise UsageError(f"mix.{head} is not known: use {', '.join(HEADS)}")
        if not any(weight > 0 for weight in self.mix.values()):
            raise UsageError("mix gives no head a weight above zero")


def load_recipe(path: Path) -> RiskRecipe:
    """Read a recipe. UsageError names the file and the key that is wrong."""
    return recipe.load_recipe(RiskRecipe, path, {"training": TrainingConfig})
