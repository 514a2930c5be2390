"""The recipe of a scorer: one TOML file, every key with a default, unknown keys refused."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from ...posi_core.errors import UsageError
from .examples import HEADS
from .training import TrainingConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")


@dataclass(frozen=True)
class RiskRecipe:
    """What `posi train risk` does.

    Attributes:
        seeds: one training run each; the weights of all runs are averaged (Wortsman et al. 2022).
        user_prior: users' prompts get this part of the share that a linear model of I2P predicts for them.
        pairs: how many of CoProV2's pairs to train on, at most.
        mix: how much of each head goes into the overall risk; those left out do not.
        training: hyperparameters of each run.
    """

    seeds: tuple[int, ...] = (0,)
    user_prior: float = 0.5
    pairs: int = 4000
    mix: Mapping[str, float] = field(default_factory=lambda: {"share": 1.0, "q16": 1.0, "nudity": 0.5})
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        if not self.seeds:
            raise UsageError("seeds is empty: name at least one")
        if not 0 <= self.user_prior <= 1:
            raise UsageError(f"user_prior is {self.user_prior!r}: a number from 0 to 1")
        for head in self.mix:
            if head not in HEADS:
                raise UsageError(f"mix.{head} is not known: use {', '.join(HEADS)}")
        if not any(weight > 0 for weight in self.mix.values()):
            raise UsageError("mix gives no head a weight above zero")


def load_recipe(path: Path) -> RiskRecipe:
    """Read a recipe. UsageError names the file and the key that is wrong."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as TOML: {error}") from None
    training = _filled(TrainingConfig, data.pop("training", {}), path, "training.")
    if "seeds" in data:
        data["seeds"] = tuple(data["seeds"])
    return _filled(RiskRecipe, data | {"training": training}, path, "")


def _filled(kind: type[T], data: dict[str, Any], path: Path, prefix: str) -> T:
    known = {entry.name for entry in fields(kind)}  # type: ignore[arg-type]
    for key in data:
        if key not in known:
            raise UsageError(f"{path}: {prefix}{key} is not known: use {', '.join(sorted(known))}")
    return kind(**data)
