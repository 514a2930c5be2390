"""The reward on a real local Ray: order, a worker that is killed, and errors that must not be swallowed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

ray = pytest.importorskip("ray")

from posi.posi_core.errors import PosiError  # noqa: E402
from posi.trainer.rewards.cluster import RayReward  # noqa: E402
from posi.trainer.rewards.protocol import RewardBatch  # noqa: E402


class Lengths:
    """Scores a rewrite by its length. The process that first meets "kill" dies, once, if `marker` is absent."""

    def __init__(self, marker: str) -> None:
        self.marker = Path(marker)

    def __call__(self, originals: Sequence[str], rewrites: Sequence[str]) -> RewardBatch:
        if "kill" in rewrites and not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if "die" in rewrites:
            os.kill(os.getpid(), signal.SIGKILL)
        if "bad" in rewrites:
            raise PosiError("this reward cannot judge 'bad'")
        scores = np.array([len(text) for text in rewrites], np.float32)
        return RewardBatch(scores, {"process": np.full(len(rewrites), os.getpid(), np.float32)})


class Build:
    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __call__(self) -> Lengths:
        return Lengths(self.marker)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80 * 2**20)
    yield
    ray.shutdown()


@pytest.fixture
def reward(cluster: None, tmp_path: Path) -> Iterator[RayReward]:
    # Classes of a test module cannot be imported in Ray's workers: send them by value.
    import sys

    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    made = RayReward(Build(str(tmp_path / "killed")), workers=2, share=2)
    yield made
    made.close()


def test_two_workers_share_the_work_and_results_come_in_order(reward: RayReward) -> None:
    texts = ["x" * n for n in (5, 1, 7, 3, 2, 9, 4)]
    batch = reward(texts, texts)
    assert batch.scores.tolist() == [5, 1, 7, 3, 2, 9, 4]
    assert batch.parts["process"].shape == (7,)


def test_a_killed_workers_share_is_done_again_in_its_place(reward: RayReward, tmp_path: Path) -> None:
    texts = ["a", "bb", "kill", "dddd", "eeeee", "ffffff"]
    batch = reward(texts, texts)
    assert (tmp_path / "killed").exists()
    assert batch.scores.tolist() == [1, 2, 4, 4, 5, 6]


def test_a_share_that_kills_every_worker_is_given_up_with_its_place_named(reward: RayReward) -> None:
    with pytest.raises(PosiError, match=r"died 3 times on prompts 2-3"):
        reward(["a", "b", "die", "d"], ["a", "b", "die", "d"])


def test_the_rewards_own_error_is_passed_on(reward: RayReward) -> None:
    with pytest.raises(Exception, match="cannot judge 'bad'"):
        reward(["bad"], ["bad"])
