"""From a config to what a run needs: model under a new adapter, its copy for sampling, prompts and reward."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...posi_core.errors import UsageError
from ..merge import load_merged
from ..template import Template, special_ids
from .config import PPOConfig


@dataclass(frozen=True)
class Parts:
    """`policy` is a peft model (SFT merged, new adapter on top), `rollouts` a copy of it without the adapter."""

    policy: Any
    rollouts: Any
    tokenizer: Any
    template: Template
    stop: int


def load_parts(config: PPOConfig, *, dtype: torch.dtype) -> Parts:
    """Load the base, merge the SFT adapter, and put a new, untrained adapter on top.

    The reference policy is the same model with the new adapter switched off, so it costs no memory. Raises
    ModelFileError when base or adapter is missing or they do not fit each other.
    """
    from peft import get_peft_model

    # The new adapter starts from random numbers, and two runs with one seed are to be the same run.
    torch.manual_seed(config.seed)
    # Merged in float32: rounding to `dtype` happens once, after the sum.
    merged = load_merged(config.base, Path(config.adapter) if config.adapter else None)
    model = merged.model.to(dtype)
    rollouts = copy.deepcopy(model).requires_grad_(False)
    stop = stop_token(merged.tokenizer, config.template)
    return Parts(get_peft_model(model, lora(config)), rollouts, merged.tokenizer, config.template, stop)


def lora(config: PPOConfig) -> Any:
    """The shape of the new adapter."""
    from peft import LoraConfig

    return LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        target_modules=list(config.lora_targets),
        task_type="CAUSAL_LM",
    )


def stop_token(tokenizer: Any, template: Template) -> int:
    """The one token that ends an answer. Raises UsageError for a template whose stop is several tokens."""
    ids = special_ids(tokenizer, template.stop)
    if len(ids) != 1:
        raise UsageError(
            f"the template's stop {template.stop!r} is {len(ids)} tokens; PPO needs a single one"
        )
    return ids[0]


def tokenize(tokenizer: Any, template: Template, prompt: str, limit: int) -> list[int]:
    """Prefix, prompt and suffix as tokens; a prompt beyond `limit` tokens is cut, whole tokens at its end."""
    ids = template.prompt_ids(tokenizer, prompt)
    fixed = len(special_ids(tokenizer, template.prefix)) + len(special_ids(tokenizer, template.suffix))
    excess = len(ids) - fixed - limit
    if excess <= 0:
        return ids
    suffix = len(special_ids(tokenizer, template.suffix))
    return [*ids[: len(ids) - suffix - excess], *ids[len(ids) - suffix :]]
