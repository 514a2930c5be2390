"""Rewards of a finished run, paired by prompt."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import FakeEncoder, FakeScorer
from posi.posi_core.errors import UsageError
from posi.trainer.evaluation.prompts.rows import Row, RowFile
from posi.trainer.evaluation.prompts.sets import PromptSet
from posi.trainer.evaluation.reward import rewards_of_run
from posi.trainer.rewards.distilled import DistilledReward

PROMPTS = PromptSet("mine", "mine.txt", ("a bloody knight", "a naked tree on a hill"), ((), ()))


def write(folder: Path, system: str, *texts: str) -> None:
    rows = RowFile(folder)
    for index, text in enumerate(texts):
        rows.add(Row("mine", system, index, "rewrite", text, None, False, 0.0, ""))


def reward() -> DistilledReward:
    return DistilledReward(FakeScorer(), FakeEncoder())


def test_gain_is_the_mean_of_the_differences_by_prompt(tmp_path: Path) -> None:
    write(tmp_path, "SFT bare", *PROMPTS.prompts)
    write(tmp_path, "PPO bare", "a shining knight", "a tree on a hill")
    first, second = rewards_of_run(tmp_path, PROMPTS, reward())
    assert (first.system, second.system, first.prompts) == ("SFT bare", "PPO bare", 2)
    assert first.gain is None
    assert second.gain is not None
    assert second.gain.value == pytest.approx(second.score.value - first.score.value, abs=1e-5)
    assert second.gain.low > 0
    assert second.parts["risk"].value < first.parts["risk"].value


def test_pipelines_and_unfinished_systems_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "SFT bare", *PROMPTS.prompts)
    write(tmp_path, "SFT standard", *PROMPTS.prompts)
    write(tmp_path, "PPO bare", "a shining knight")
    assert [found.system for found in rewards_of_run(tmp_path, PROMPTS, reward())] == ["SFT bare"]


def test_a_run_without_these_prompts_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no bare rewrites of all 2 prompts"):
        rewards_of_run(tmp_path, PROMPTS, reward())
