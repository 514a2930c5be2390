"""The reward of bare rewrites, paired by prompt: is one rewriter better than another, or only luckier?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...posi_core.errors import UsageError
from .prompts.bootstrap import Estimate, mean
from .prompts.rows import RowFile
from .prompts.sets import PromptSet

if TYPE_CHECKING:
    from ..rewards.protocol import Reward


@dataclass(frozen=True)
class Rewarded:
    """One rewriter's mean reward and its parts, and what it gains on the first rewriter's (None: it is that)."""

    system: str
    prompts: int
    score: Estimate
    gain: Estimate | None
    parts: dict[str, Estimate]


def rewards_of_run(folder: Path, prompts: PromptSet, reward: Reward) -> list[Rewarded]:
    """For each bare system with a row for all of `prompts` in the run at `folder`, in the order they ran.

    Raises UsageError when there is none.
    """
    texts: dict[str, dict[int, str]] = {}
    for row in RowFile(folder).rows.values():
        if row.set == prompts.name and row.system.endswith(" bare"):
            texts.setdefault(row.system, {})[row.index] = row.text
    whole = {system: found for system, found in texts.items() if len(found) == len(prompts.prompts)}
    if not whole:
        raise UsageError(
            f"{folder} holds no bare rewrites of all {len(prompts.prompts)} prompts of {prompts.title}: "
            f"run `posi eval prompts --out {folder}` on them first"
        )
    judged = {
        system: reward(prompts.prompts, [found[index] for index in range(len(found))])
        for system, found in whole.items()
    }
    first = next(iter(judged.values())).scores
    return [
        Rewarded(
            system,
            len(batch.scores),
            mean(batch.scores.tolist()),
            None if batch.scores is first else mean((batch.scores - first).tolist()),
            {name: mean(values.tolist()) for name, values in batch.parts.items()},
        )
        for system, batch in judged.items()
    ]
