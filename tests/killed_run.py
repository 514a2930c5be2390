"""A PPO run that is killed on the way, as a user's ctrl-C or a power cut does."""

from __future__ import annotations

from typing import Any

import pytest


def train_and_kill(run: Any, after: int) -> None:
    """Train `run` until `after` steps are done, and die in the next one."""
    step = run._step

    def dying(model: object) -> dict[str, float]:
        if run.done == after:
            raise KeyboardInterrupt
        made: dict[str, float] = step(model)
        return made

    run._step = dying
    with pytest.raises(KeyboardInterrupt):
        run.train()
