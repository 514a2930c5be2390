"""`posi train ppo`: recipe in, run folder out. Started by `accelerate launch`, it runs on several processes."""

from __future__ import annotations

import os
from pathlib import Path

from ...posi_core.prompt_file import read_prompts
from ..adapter_note import AdapterNote
from ..base import use_threads
from ..combine import combine_adapters
from ..rewards.build import build_reward
from ..run_folder import git_commit
from .config import PPOConfig
from .loop import PPORun
from .setup import load_parts


def run_ppo(
    config: PPOConfig, folder: Path, *, ray: str = "", workers: int = 1, gpus_per_worker: float = 0.0
) -> dict[str, float]:
    """Train in `folder`, going on from its newest checkpoint when it has one; returns the last validation's means.

    The adapter of the last step is in `folder`/adapter, that of the best validation score in `folder`/best; both lie
    over the base with the SFT adapter merged. `folder`/combined is the best one and SFT's as a single adapter over the
    base, for `posi export`. Raises UsageError for a wrong recipe before anything is loaded.
    """
    prompts = read_prompts(Path(config.prompts))
    validation = read_prompts(Path(config.validation)) if config.validation else []
    reward = build_reward(
        config.reward, config.reward_options, ray=ray, workers=workers, gpus_per_worker=gpus_per_worker
    )
    import torch
    from accelerate import Accelerator

    from ..precision import native_dtype

    on_gpu = torch.cuda.is_available()
    # cuDNN builds a plan for every new shape, and each turn of sampling has one: 85 s for a step of 5 on an H100.
    torch.backends.cuda.enable_cudnn_sdp(False)
    dtype = native_dtype()
    accelerator = Accelerator(mixed_precision="bf16" if dtype == torch.bfloat16 else "no", cpu=not on_gpu)
    cores = use_threads(config.threads)
    if config.threads is None:
        # Processes on one machine share its cores; the launcher says how many there are.
        use_threads(max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
    parts = load_parts(config, dtype=dtype)
    parts.policy.to(accelerator.device)
    parts.rollouts.to(accelerator.device)
    run = PPORun(config, folder, parts, reward, prompts, validation, accelerator)
    run.policy.to(accelerator.device)
    means = run.train()
    if accelerator.is_main_process and config.adapter:
        best = folder / ("best" if (folder / "best").is_dir() else "adapter")
        combined = combine_adapters(Path(config.adapter), best, folder / "combined")
        AdapterNote(config.base, config.template, git_commit()).write(combined)
    return means
