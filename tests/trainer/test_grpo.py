"""GRPO through TRL on a tiny random model, with a reward of ours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from posi.posi_core.errors import UsageError  # noqa: E402
from posi.trainer.grpo import run_grpo  # noqa: E402
from posi.trainer.ppo.config import PPOConfig  # noqa: E402
from posi.trainer.rewards.protocol import RewardBatch  # noqa: E402
from tiny_lm import save_tiny_base  # noqa: E402


class Recording:
    def __init__(self) -> None:
        self.calls: list[tuple[list[str], list[str]]] = []

    def __call__(self, originals: Sequence[str], rewrites: Sequence[str]) -> RewardBatch:
        self.calls.append((list(originals), list(rewrites)))
        return RewardBatch(np.array([text.count("e") for text in rewrites], np.float32))


@pytest.fixture
def config(tmp_path: Path) -> PPOConfig:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a red barn\ntwo dogs\nthe sea at noon\nan old tower\n")
    return PPOConfig(
        base=str(save_tiny_base(tmp_path / "base")),
        prompts=str(prompts),
        steps=2,
        batch=2,
        samples=4,
        ppo_epochs=1,
        max_new_tokens=8,
        learning_rate=1e-2,
        save_every=2,
    )


def test_grpo_trains_an_adapter_with_the_same_rewards(config: PPOConfig, tmp_path: Path) -> None:
    reward = Recording()
    means = run_grpo(config, tmp_path / "run", reward=reward, dtype=torch.float32)
    assert "reward" in means
    originals, rewrites = reward.calls[0]
    assert len(rewrites) == 8
    assert (
        len(set(originals)) == 2
    )  # two prompts, a group of four answers each; the bare prompt, not the template
    assert all("<|im_" not in text for text in [*originals, *rewrites])
    adapter = tmp_path / "run" / "adapter" / "adapter_model.safetensors"
    from safetensors.torch import load_file

    assert any(value.abs().max() > 0 for name, value in load_file(adapter).items() if "lora_B" in name)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["algorithm"] == "grpo"


def test_a_group_of_one_is_refused(config: PPOConfig, tmp_path: Path) -> None:
    import dataclasses

    with pytest.raises(UsageError, match="at least 2"):
        run_grpo(dataclasses.replace(config, samples=1), tmp_path / "run", reward=Recording())
