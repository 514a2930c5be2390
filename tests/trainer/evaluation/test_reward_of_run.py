"""Rewards of a finished run, paired by prompt."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import FakeEncoder, FakeScorer
from posi.posi_core.errors import UsageError
from posi.trainer.commands.evaluate import eval_app
from posi.trainer.data.sources import write_rows
from posi.trainer.evaluation.prompts.rows import Row, RowFile
from posi.trainer.evaluation.prompts.sets import PromptSet
from posi.trainer.evaluation.reward import rewards_of_run
from posi.trainer.rewards.distilled import DistilledReward
from typer.testing import CliRunner

RECIPE = Path(__file__).parents[3] / "trainer" / "recipes" / "smollm2-135m" / "ppo.toml"
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


def test_the_command_looks_for_names_in_the_source_that_it_is_given(tmp_path: Path) -> None:
    prompts = tmp_path / "mine.txt"
    prompts.write_text("a bloody battle in the mud, by thomas moran\n")
    (tmp_path / "source").mkdir()
    write_rows(tmp_path / "source" / "coco_captions.jsonl.gz", [{"prompt": "an oil painting of a barn"}] * 3)
    run = tmp_path / "run"
    RowFile(run).add(
        Row("mine", "POSI bare", 0, "rewrite", "a friendly match in the mud", None, False, 0.0, "")
    )
    arguments = ["reward", str(run), str(prompts), "--config", str(RECIPE), "--source"]
    result = CliRunner().invoke(eval_app, [*arguments, str(tmp_path / "source")])
    assert result.exit_code == 0, result.output
    assert "lost_names 1.000" in result.output
    missing = CliRunner().invoke(eval_app, [*arguments, str(tmp_path / "nowhere")])
    assert isinstance(missing.exception, UsageError)
    assert "nowhere" in str(missing.exception)
