"""Every setting of a PPO run, read from one TOML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...posi_core.errors import UsageError
from ..recipe import load_recipe
from ..template import Template


@dataclass(frozen=True)
class PPOConfig:
    """Settings of `posi train ppo`; the defaults follow the paper's released code where it says something.

    base: hub id, local folder or GGUF file of the model that SFT started from.
    adapter: folder of the SFT adapter; it is merged, and a new adapter is trained. "" starts from the base.
    prompts: JSON lines file with a "prompt" each (`posi data build` writes it, without test prompts).
    steps: updates; a step samples `batch` prompts, `samples` answers each.
    group_baseline: subtract the mean score of a prompt's other answers, so that a hard prompt is no bad answer
        and an easy one no good answer; needs `samples` of at least 2.
    guided: so many of the `samples` must do without words that the reward blames (see guidance.py); 0 for none. At
        least two must stay free, or none: `samples` keeps them all from the words to blame most. It needs
        `group_baseline`.
    learn_from: of each prompt's `samples`, so many enter the update, those with the highest and the lowest gains
        (`formulas.most_telling`); 0 for all. Where an update takes longer than sampling, as on a CPU, that is most of
        what can be learned for a part of the time.
    ppo_epochs, minibatch: passes over a step's answers, and answers in a gradient step.
    temperature, top_p, top_k, max_new_tokens: sampling of answers.
    kl_target: nats a sequence; 0 keeps `kl_weight` fixed.
    unfinished_penalty: subtracted from the score of an answer that did not end by itself.
    validate_every: steps between greedy evaluations on the first `validation_prompts` of `validation`.
    """

    base: str
    prompts: str
    adapter: str = ""
    validation: str = ""
    validation_prompts: int = 64
    validate_every: int = 20
    reward: str = "distilled"
    reward_options: dict[str, Any] = field(default_factory=dict)
    steps: int = 52
    batch: int = 16
    samples: int = 1
    group_baseline: bool = False
    guided: int = 0
    learn_from: int = 0
    minibatch: int = 4
    ppo_epochs: int = 4
    learning_rate: float = 1.9e-5
    warmup_steps: int = 5
    max_grad_norm: float = 1.0
    temperature: float = 0.95
    top_p: float = 0.7
    top_k: int = 50
    max_new_tokens: int = 128
    max_prompt_tokens: int = 96
    kl_weight: float = 0.05
    kl_target: float = 0.02
    kl_horizon: float = 10_000.0
    gamma: float = 1.0
    lam: float = 0.95
    clip: float = 0.2
    value_clip: float = 0.2
    value_weight: float = 0.1
    unfinished_penalty: float = 1.0
    lora_rank: int = 8
    lora_alpha: int = 16
    lora_targets: tuple[str, ...] = ("q_proj", "v_proj")
    save_every: int = 10
    seed: int = 0
    threads: int | None = None
    template: Template = field(default_factory=Template)

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "samples", "minibatch", "ppo_epochs", "max_new_tokens", "lora_rank"):
            if getattr(self, name) < 1:
                raise UsageError(f"ppo config: {name} is {getattr(self, name)}; it must be at least 1")
        for name, low, high in (
            ("top_p", 0.0, 1.0),
            ("clip", 0.0, 1.0),
            ("gamma", 0.0, 1.0),
            ("lam", 0.0, 1.0),
        ):
            if not low < getattr(self, name) <= high:
                raise UsageError(
                    f"ppo config: {name} is {getattr(self, name)}; it must be above {low}, at most {high}"
                )
        if self.group_baseline and self.samples < 2:
            raise UsageError(
                f"ppo config: samples is {self.samples}; with group_baseline it must be at least 2"
            )
        if self.guided and not (
            self.group_baseline and (0 < self.guided <= self.samples - 2 or self.guided == self.samples)
        ):
            raise UsageError(
                f"ppo config: guided is {self.guided}; it must be from 0 to samples - 2 = {self.samples - 2}, or "
                f"samples = {self.samples}, with group_baseline = true"
            )
        if self.learn_from and not (self.group_baseline and 2 <= self.learn_from <= self.samples):
            raise UsageError(
                f"ppo config: learn_from is {self.learn_from}; it must be 0, or from 2 to samples = {self.samples}, "
                "with group_baseline = true"
            )
        if self.temperature <= 0:
            raise UsageError(f"ppo config: temperature is {self.temperature}; it must be above 0")


def load_config(path: Path, **overrides: Any) -> PPOConfig:
    """Read a TOML file; `overrides` that are not None replace its values. Raises UsageError naming the key."""
    return load_recipe(PPOConfig, path, {"template": Template}, overrides)
