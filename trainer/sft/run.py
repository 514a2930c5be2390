"""One SFT run: from a config to an adapter, in a run folder that says how it came about."""

from __future__ import annotations

import json
import random
from functools import partial
from pathlib import Path
from typing import Any

from ..adapter_note import AdapterNote, require_template
from ..base import load_base, use_threads
from ..run_folder import git_commit, write_run
from .config import SFTConfig
from .dataset import collate, encode, read_pairs

ADAPTER_FOLDER, CHECKPOINTS_FOLDER, METRICS_FILE = "adapter", "checkpoints", "metrics.json"


def train(config: SFTConfig, folder: Path) -> dict[str, float]:
    """Train and leave the adapter in `folder`/adapter; returns the last metrics.

    The folder also holds run.json (config, versions, seed, commit), metrics.json, loss.png and checkpoints/. A
    folder that holds this run already is gone on with from its newest checkpoint; one that holds a run of another
    config is refused with UsageError.
    """
    import torch
    import transformers
    from peft.helpers import disable_input_dtype_casting
    from trl import SFTConfig as TrainingConfig

    from ..precision import native_dtype
    from .plot import plot_loss
    from .trainer import RewriterTrainer

    on_gpu = torch.cuda.is_available()
    threads = use_threads(config.threads)
    transformers.set_seed(config.seed)
    dtype = native_dtype()
    base = load_base(config.base, dtype=dtype)
    if not on_gpu:
        # An eighth faster than PyTorch's own attention on a CPU, at these lengths.
        base.model.set_attn_implementation("eager")
    model = _under_adapter(base.model, config)  # adapter weights in float32 over a base of any type
    pairs = {"train": _train_pairs(config), "validation": read_pairs(Path(config.validation))}
    sets = {
        name: encode(
            rows,
            base.tokenizer,
            config.template,
            max_tokens=config.max_tokens,
            edit_weight=config.edit_weight,
        )
        for name, rows in pairs.items()
    }
    facts = {
        "examples": {name: len(rows) for name, rows in sets.items()},
        "tokens": {name: sum(rows["length"]) for name, rows in sets.items()},
    }
    write_run(folder, config, threads=threads, dtype=str(dtype), **facts)
    checkpoint = newest_checkpoint(folder / CHECKPOINTS_FOLDER)
    steps_in_epoch = -(-len(sets["train"]) // config.batch_size)
    arguments = TrainingConfig(
        output_dir=str(folder / CHECKPOINTS_FOLDER),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(config.warmup_share * steps_in_epoch * config.epochs),
        weight_decay=config.weight_decay,
        max_grad_norm=1.0,
        bf16=dtype == torch.bfloat16,
        use_cpu=not on_gpu,
        gradient_checkpointing=False,
        logging_steps=config.log_every,
        eval_strategy="steps",
        eval_steps=config.evaluate_every,
        save_strategy="steps",
        save_steps=config.save_every,
        save_total_limit=3,
        seed=config.seed,
        report_to=[],
        remove_unused_columns=False,
        dataloader_pin_memory=on_gpu,
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
    )
    trainer = RewriterTrainer(
        model=model,
        args=arguments,
        train_dataset=sets["train"],
        eval_dataset=sets["validation"],
        processing_class=base.tokenizer,
        data_collator=partial(collate, pad_id=base.tokenizer.pad_token_id),
    )
    with disable_input_dtype_casting(model):  # autocast casts already; PEFT would go to float32 and back
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        trainer.evaluate()
    history = trainer.state.log_history
    metrics = _last_metrics(history)
    (folder / METRICS_FILE).write_text(json.dumps({"final": metrics, "history": history}, indent=1) + "\n")
    plot_loss(history, folder / "loss.png")
    note = AdapterNote(config.base, config.template, git_commit())
    save_adapter(trainer.model, folder / ADAPTER_FOLDER, note)
    return metrics


def _under_adapter(base: Any, config: SFTConfig) -> Any:
    """The base under a new adapter, or under `config.adapter` as it was left."""
    from peft import LoraConfig, PeftModel, get_peft_model

    if config.adapter:
        require_template(Path(config.adapter), config.template)
        return PeftModel.from_pretrained(base, config.adapter, is_trainable=True, autocast_adapter_dtype=True)
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=list(config.targets),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(base, lora)


def _train_pairs(config: SFTConfig) -> list[dict[str, str]]:
    pairs = read_pairs(Path(config.train))
    if not config.replay:
        return pairs
    known = read_pairs(Path(config.replay))
    wanted = min(round(config.replay_share * len(pairs)), len(known))
    return pairs + random.Random(config.seed).sample(known, wanted)


def save_adapter(model: Any, folder: Path, note: AdapterNote) -> None:
    """Write the adapter in bfloat16, half the size of float32, with the note that `posi export` reads."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {
        key: value.to(torch.bfloat16).contiguous() for key, value in get_peft_model_state_dict(model).items()
    }
    save_file(state, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    model.peft_config["default"].save_pretrained(str(folder))
    note.write(folder)


def newest_checkpoint(folder: Path) -> Path | None:
    """The last complete checkpoint: its state file is written last, so one that a kill cut off has none."""
    complete = []
    for checkpoint in folder.glob("checkpoint-*"):
        try:
            json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        complete.append(checkpoint)
    return max(complete, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _last_metrics(history: list[dict[str, float]]) -> dict[str, float]:
    wanted = ("loss", "eval_loss", "eval_mean_token_accuracy", "train_runtime", "train_loss", "step")
    found: dict[str, float] = {}
    for entry in history:
        found.update({key: value for key, value in entry.items() if key in wanted})
    return found
