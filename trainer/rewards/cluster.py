"""The image reward on a Ray cluster: drawing is what outgrows one machine first."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...posi_core.errors import PosiError
from .protocol import Reward, RewardBatch

_ATTEMPTS = 3


class RayReward:
    """Spreads a batch over `workers` Ray actors, each with a reward that `build()` makes; results come in order.

    `address` is a Ray address or "auto" ("local" starts Ray in this process's machine). A worker that dies is
    replaced and its share done again, at most three times a share; an error that the reward itself raises is
    passed on.
    """

    def __init__(
        self,
        build: Callable[[], Reward],
        address: str = "auto",
        workers: int = 1,
        *,
        gpus_per_worker: float = 0.0,
        share: int = 4,
    ) -> None:
        try:
            import ray
        except ImportError as error:
            raise PosiError("a Ray cluster needs ray: pip install 'ray[default]'") from error
        self._ray = ray
        if not ray.is_initialized():
            ray.init(
                address=None if address == "local" else address,
                log_to_driver=False,
                include_dashboard=False,
                runtime_env={"env_vars": {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}},
            )
        self._build = build
        self._share = share
        self._actor: Any = ray.remote(num_gpus=gpus_per_worker, max_restarts=0)(_Worker)
        self.workers: list[Any] = [self._actor.remote(build) for _ in range(workers)]

    def __call__(self, originals: Sequence[str], rewrites: Sequence[str]) -> RewardBatch:
        ray = self._ray
        starts = list(range(0, len(rewrites), self._share))
        waiting = list(reversed(starts))
        attempts = dict.fromkeys(starts, 0)
        results: dict[int, RewardBatch] = {}
        running: dict[Any, tuple[int, int]] = {}
        idle = list(range(len(self.workers)))
        while waiting or running:
            while waiting and idle:
                place, start = idle.pop(), waiting.pop()
                stop = start + self._share
                reference = self.workers[place].judge.remote(
                    list(originals[start:stop]), list(rewrites[start:stop])
                )
                running[reference] = (place, start)
            (ready,), _ = ray.wait(list(running), num_returns=1)
            place, start = running.pop(ready)
            try:
                results[start] = RewardBatch(*ray.get(ready))
            except (ray.exceptions.RayActorError, ray.exceptions.WorkerCrashedError) as error:
                attempts[start] += 1
                if attempts[start] >= _ATTEMPTS:
                    raise PosiError(
                        f"reward workers died {_ATTEMPTS} times on prompts {start}-{start + self._share - 1}: {error}"
                    ) from error
                self.workers[place] = self._actor.remote(self._build)
                waiting.append(start)
            idle.append(place)
        ordered = [results[start] for start in starts]
        names = ordered[0].parts if ordered else {}
        return RewardBatch(
            np.concatenate([part.scores for part in ordered]) if ordered else np.zeros(0, np.float32),
            {name: np.concatenate([part.parts[name] for part in ordered]) for name in names},
        )

    def close(self) -> None:
        """End the workers; the cluster itself stays as it was."""
        for worker in self.workers:
            self._ray.kill(worker)
        self.workers = []


class _Worker:
    def __init__(self, build: Callable[[], Reward]) -> None:
        self.reward = build()

    def judge(self, originals: list[str], rewrites: list[str]) -> tuple[Any, dict[str, Any]]:
        batch = self.reward(originals, rewrites)
        return batch.scores, dict(batch.parts)
