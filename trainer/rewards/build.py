"""From a recipe's `reward` and `reward_options` to a reward."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ...posi_core.errors import UsageError
from ..recipe import fill, read_toml
from .protocol import Reward

KINDS = ("distilled", "image", "mixed")


def build_reward(
    kind: str, options: Mapping[str, Any], *, ray: str = "", workers: int = 1, gpus_per_worker: float = 0.0
) -> Reward:
    """Build a reward of one of `KINDS`.

    `options` of "distilled" are the fields of `DistilledWeights` and those of `_Judges`, of "image" those of
    `ImageRewardSpec`; of "mixed" a table for each reward by its kind, with its options and a `weight` (1 when left
    out). With a Ray address the image reward runs on that cluster's workers. Raises UsageError naming a wrong key.
    """
    if kind == "distilled":
        return _distilled(options)
    if kind == "image":
        from .image import ImageRewardSpec

        build = BuildImageReward(fill(ImageRewardSpec, options, "image reward"))
        if not ray:
            return build()
        from .cluster import RayReward

        return RayReward(build, ray, workers, gpus_per_worker=gpus_per_worker)
    if kind == "mixed":
        from .mixed import MixedReward

        rewards = {}
        for name, table in options.items():
            if name not in ("distilled", "image") or not isinstance(table, Mapping):
                raise UsageError(
                    f"mixed reward: {name!r} is not a table [reward_options.distilled] or .image]"
                )
            inner = {key: value for key, value in table.items() if key != "weight"}
            reward = build_reward(name, inner, ray=ray, workers=workers, gpus_per_worker=gpus_per_worker)
            rewards[name] = (reward, float(table.get("weight", 1.0)))
        return MixedReward(rewards)
    raise UsageError(f"reward is {kind!r}; it must be one of {', '.join(KINDS)}")


def reward_of(recipe: Path) -> Reward:
    """The reward that `reward` and `reward_options` of any recipe describe. Raises as `build_reward`."""
    values = read_toml(recipe)
    return build_reward(values.get("reward", "distilled"), values.get("reward_options", {}))


@dataclass(frozen=True)
class _Judges:
    """scorers: files of risk scorers whose opinion counts as much as the shipped one's; a policy that has a single
    scorer to please finds what that one overlooks (Coste et al. 2023).
    names_source: folder of the data sources, whose captions tell names from other words; "" looks for no names.
    fluency_base: base model whose likelihood tells what reads badly; "" asks none.
    """

    scorers: tuple[str, ...] = ()
    names_source: str = ""
    fluency_base: str = ""


def _distilled(options: Mapping[str, Any]) -> Reward:
    from ...posi_core.risk import load_scorer
    from ...posi_core.similarity import load_encoder
    from ..base import cores
    from ..data.sources import load_source
    from ..evaluation.names import NameFinder, common_words
    from .distilled import DistilledReward, DistilledWeights
    from .fluency import Fluency

    mine = {field.name for field in fields(_Judges)}
    judges = fill(_Judges, {key: options[key] for key in options if key in mine}, "distilled reward")
    weights = fill(
        DistilledWeights, {key: options[key] for key in options if key not in mine}, "distilled reward"
    )
    names = None
    if judges.names_source:
        captions = load_source(Path(judges.names_source), "coco_captions")
        names = NameFinder(common_words(row["prompt"] for row in captions))
    return DistilledReward(
        load_scorer(threads=cores()),
        load_encoder(threads=cores()),
        weights,
        others=[load_scorer(Path(file), threads=cores()) for file in judges.scorers],
        names=names,
        fluency=Fluency(judges.fluency_base) if judges.fluency_base else None,
    )


@dataclass(frozen=True)
class BuildImageReward:
    """Builds an image reward where it is called: on this machine, or in a Ray worker that received it."""

    spec: Any

    def __call__(self) -> Reward:
        from .image import ImageReward

        return ImageReward(self.spec)
