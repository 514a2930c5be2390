"""Run under `accelerate launch` by test_ppo_distributed: two processes train one tiny policy together."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from posi.trainer.ppo.config import PPOConfig
from posi.trainer.ppo.loop import PPORun
from posi.trainer.ppo.setup import load_parts
from posi.trainer.rewards.protocol import RewardBatch

PROMPTS = ["a red barn", "two dogs", "the sea at noon", "an old tower"]


class Vowels:
    """Share of vowels; remembers which prompts this process was given."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, originals: Sequence[str], rewrites: Sequence[str]) -> RewardBatch:
        self.seen += originals
        values = np.array([sum(c in "aeiou" for c in t) / max(len(t), 1) for t in rewrites], np.float32)
        return RewardBatch(values, {"vowels": values})


def main(base: str, folder: Path) -> None:
    torch.set_num_threads(1)
    accelerator = Accelerator(cpu=True)
    config = PPOConfig(
        base=base,
        prompts="",
        steps=3,
        batch=4,
        minibatch=2,
        ppo_epochs=2,
        learning_rate=1e-2,
        max_new_tokens=8,
        top_p=1.0,
        top_k=0,
        temperature=1.0,
        save_every=3,
        validate_every=3,
        validation_prompts=2,
    )
    reward = Vowels()
    run = PPORun(
        config, folder, load_parts(config, dtype=torch.float32), reward, PROMPTS, PROMPTS[:2], accelerator
    )
    run.train()
    weights = {
        name: value.double().sum().item()
        for name, value in run.policy.named_parameters()
        if value.requires_grad
    }
    report = {
        "processes": accelerator.num_processes,
        "weights": weights,
        "kl_weight": run.controller.weight,
        "seen": reward.seen,
    }
    (folder / f"process-{accelerator.process_index}.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
