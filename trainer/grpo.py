"""GRPO through TRL's trainer, from the same recipe and rewards as PPO, for comparison."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..posi_core.errors import UsageError
from ..posi_core.prompt_file import read_prompts
from .base import use_threads
from .merge import load_merged
from .ppo.config import PPOConfig
from .ppo.setup import lora, stop_token
from .rewards.build import build_reward
from .rewards.protocol import Reward
from .run_folder import last_values, write_run


def run_grpo(
    config: PPOConfig, folder: Path, *, reward: Reward | None = None, dtype: Any = None, resume: bool = True
) -> dict[str, float]:
    """Train in `folder` with TRL's GRPOTrainer; returns the last logged means.

    Of the recipe it reads the model, data, reward, sampling, `steps`, `batch` (prompts a step), `samples` (answers a
    prompt: the group, at least 2), `learning_rate`, `kl_weight` (beta), `clip` (epsilon), `ppo_epochs` (iterations)
    and the adapter's shape; what belongs to a critic, to the KL controller or to `guided` answers has no meaning here.
    """
    if config.samples < 2:
        raise UsageError(f"grpo: samples is {config.samples}; a group needs at least 2 answers a prompt")
    prompts = read_prompts(Path(config.prompts))
    judge = reward or build_reward(config.reward, config.reward_options)
    import torch
    from datasets import Dataset
    from transformers.trainer_utils import get_last_checkpoint
    from trl import GRPOConfig, GRPOTrainer

    from .precision import native_dtype

    use_threads(config.threads)
    dtype = dtype or native_dtype()
    merged = load_merged(config.base, Path(config.adapter) if config.adapter else None)
    tokenizer, template = merged.tokenizer, config.template
    if tokenizer.eos_token_id != stop_token(tokenizer, template):
        raise UsageError(
            f"grpo: the template's stop {template.stop!r} is not the model's end token, which TRL stops at"
        )
    write_run(folder, config, algorithm="grpo", prompts=len(prompts))
    wrapped = [template.prefix + prompt + template.suffix for prompt in prompts]
    on_gpu = torch.cuda.is_available()
    arguments = GRPOConfig(
        output_dir=str(folder / "checkpoints"),
        max_steps=config.steps,
        per_device_train_batch_size=config.batch * config.samples,
        num_generations=config.samples,
        num_iterations=config.ppo_epochs,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup_steps,
        max_grad_norm=config.max_grad_norm,
        max_completion_length=config.max_new_tokens,
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=config.top_k,
        beta=config.kl_weight,
        epsilon=config.clip,
        bf16=dtype == torch.bfloat16,
        use_cpu=not on_gpu,
        gradient_checkpointing=False,
        dataloader_pin_memory=on_gpu,
        logging_steps=1,
        save_steps=config.save_every,
        save_total_limit=2,
        seed=config.seed,
        report_to=["tensorboard"],
        disable_tqdm=False,
    )
    trainer = GRPOTrainer(
        model=merged.model.to(dtype),
        reward_funcs=[_Adapted(judge)],
        args=arguments,
        train_dataset=Dataset.from_dict({"prompt": wrapped, "original": prompts}),
        processing_class=tokenizer,
        peft_config=lora(config),
    )
    checkpoints = folder / "checkpoints"
    newest = get_last_checkpoint(str(checkpoints)) if resume and checkpoints.is_dir() else None
    trainer.train(resume_from_checkpoint=newest)
    trainer.model.save_pretrained(str(folder / "adapter"))
    history = trainer.state.log_history
    (folder / "metrics.json").write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")
    return last_values(history)


class _Adapted:
    """A reward of ours as TRL calls one: with keyword columns, answering a list of floats."""

    def __init__(self, reward: Reward) -> None:
        self.reward = reward
        self.__name__ = type(reward).__name__

    def __call__(
        self, prompts: Sequence[str], completions: Sequence[str], original: Sequence[str], **_: Any
    ) -> list[float]:
        return [
            float(score) for score in self.reward(original, [text.strip() for text in completions]).scores
        ]
