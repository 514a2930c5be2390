"""DPO (Rafailov et al. 2023) through TRL, on the best of many answers against the greedy one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..posi_core.errors import UsageError
from .adapter_note import AdapterNote, require_template
from .base import use_threads
from .merge import load_merged
from .recipe import load_recipe
from .run_folder import git_commit, last_values, write_run
from .sft.dataset import read_pairs
from .sft.run import newest_checkpoint, save_adapter
from .template import Template


@dataclass(frozen=True)
class DPOConfig:
    """Settings of one run; the file's keys are these names, the template's are in its table `[template]`.

    Attributes:
        base: Hub id, folder, GGUF file, or `package:NAME` for the GGUF inside an installed Python package.
        adapter: Folder of the adapter to improve. It is merged and stays the reference; a new adapter is trained.
        pairs: File of `posi data best` whose rows have `rejected` besides `toxic` and `clean`.
        beta: How much a departure from the reference costs; higher keeps closer.
        sft_weight: Weight of the chosen answers' own cross-entropy besides the loss of the preference, which only
            wants them likelier than the rejected ones and would let both fall.
        rank, alpha, targets: Of the new LoRA.
        epochs, batch_size, learning_rate, warmup_share: A batch is so many pairs; the schedule is cosine to zero.
        max_tokens: Pairs with a longer side (prompt and answer together) are left out.
        reward, reward_options: What `posi data best --config` chooses the pairs by, see `rewards.build_reward`.
        threads: CPU threads of PyTorch, null for every core of the process.
    """

    base: str
    adapter: str
    pairs: str
    beta: float = 0.1
    sft_weight: float = 0.1
    rank: int = 16
    alpha: int = 32
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    epochs: float = 1.0
    batch_size: int = 16
    learning_rate: float = 1e-4
    warmup_share: float = 0.1
    max_tokens: int = 320
    save_every: int = 25
    log_every: int = 5
    seed: int = 0
    threads: int | None = None
    reward: str = "distilled"
    reward_options: Mapping[str, Any] = field(default_factory=dict)
    template: Template = field(default_factory=Template)

    def __post_init__(self) -> None:
        for name in ("rank", "alpha", "batch_size", "max_tokens", "save_every", "log_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}: it must be at least 1")
        for name in ("epochs", "learning_rate", "beta"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} is {getattr(self, name)}: it must be above 0")


def load_config(path: Path, **overrides: Any) -> DPOConfig:
    """Read a TOML file; overrides that are not None replace its values. UsageError names a wrong key or value."""
    return load_recipe(DPOConfig, path, {"template": Template}, overrides)


def run_dpo(config: DPOConfig, folder: Path, *, dtype: Any = None) -> dict[str, float]:
    """Train and leave the new adapter in `folder`/adapter, to be added to `config.adapter` (`posi train sum`).

    Returns the last logged means: `rewards/accuracies` is the share of pairs whose chosen answer the policy prefers
    more than the reference does. A folder that holds this run already is gone on with from its newest checkpoint.
    """
    import torch
    import transformers
    from peft import LoraConfig
    from trl import DPOConfig as TrainingConfig

    from .dpo_trainer import RewriterDPOTrainer
    from .precision import native_dtype

    require_template(Path(config.adapter), config.template)
    threads = use_threads(config.threads)
    transformers.set_seed(config.seed)
    dtype = dtype or native_dtype()
    merged = load_merged(config.base, Path(config.adapter))
    on_gpu = torch.cuda.is_available()
    model = merged.model.to(dtype)
    if not on_gpu:
        model.set_attn_implementation("eager")  # faster on a CPU, as in SFT
    rows = preferences(read_pairs(Path(config.pairs)), merged.tokenizer, config)
    if not rows:
        raise UsageError(
            f"{config.pairs} holds no pair with `rejected` that fits max_tokens {config.max_tokens}"
        )
    from datasets import Dataset

    write_run(folder, config, algorithm="dpo", threads=threads, dtype=str(dtype), pairs=len(rows))
    steps = -(-len(rows) // config.batch_size) * config.epochs
    arguments = TrainingConfig(
        output_dir=str(folder / "checkpoints"),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(config.warmup_share * steps),
        max_grad_norm=1.0,
        beta=config.beta,
        loss_type=["sigmoid", "sft"] if config.sft_weight else ["sigmoid"],
        loss_weights=[1.0, config.sft_weight] if config.sft_weight else [1.0],
        max_length=None,
        bf16=dtype == torch.bfloat16,
        use_cpu=not on_gpu,
        gradient_checkpointing=False,
        dataloader_pin_memory=on_gpu,
        logging_steps=config.log_every,
        save_steps=config.save_every,
        save_total_limit=2,
        seed=config.seed,
        report_to=[],
    )
    trainer = RewriterDPOTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=merged.tokenizer,
        peft_config=LoraConfig(
            r=config.rank, lora_alpha=config.alpha, target_modules=list(config.targets), task_type="CAUSAL_LM"
        ),
    )
    newest = newest_checkpoint(folder / "checkpoints")
    trainer.train(resume_from_checkpoint=str(newest) if newest else None)
    history = trainer.state.log_history
    (folder / "metrics.json").write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")
    save_adapter(trainer.model, folder / "adapter", AdapterNote(config.base, config.template, git_commit()))
    return last_values(history)


def preferences(
    pairs: Sequence[Mapping[str, str]], tokenizer: Any, config: DPOConfig
) -> list[dict[str, list[int]]]:
    """TRL's columns `prompt_ids`, `chosen_ids` and `rejected_ids` of the pairs that have `rejected`.

    Tokenised here, since prompt, template and answer are tokenised apart from each other (`Template`).
    """
    template, rows = config.template, []
    for pair in pairs:
        if not pair.get("rejected"):
            continue
        row = {
            "prompt_ids": template.prompt_ids(tokenizer, pair["toxic"]),
            "chosen_ids": template.answer_ids(tokenizer, pair["clean"]),
            "rejected_ids": template.answer_ids(tokenizer, pair["rejected"]),
        }
        longest = max(len(row["chosen_ids"]), len(row["rejected_ids"]))
        if len(row["prompt_ids"]) + longest <= config.max_tokens:
            rows.append(row)
    return rows
