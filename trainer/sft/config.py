"""Every setting of an SFT run, as one TOML file holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...posi_core.errors import UsageError
from ..recipe import load_recipe
from ..template import Template


@dataclass(frozen=True)
class SFTConfig:
    """Settings of one run; the file's keys are these names, the template's are in its table `[template]`.

    Attributes:
        base: Hub id, folder, GGUF file, or `package:NAME` for the GGUF inside an installed Python package.
        adapter: Folder of an adapter to go on with, which then also sets rank, alpha and targets; "" starts anew.
        train, validation: Files of `posi data build` or `best`; relative paths are taken from the working directory.
        replay, replay_share: Pairs of another such file, drawn by the seed, as a share of `train`'s number.
        rank, alpha, dropout: LoRA; the update is scaled by alpha / rank.
        targets: Names of the linear layers that get an adapter.
        epochs, batch_size, learning_rate, warmup_share, weight_decay: The schedule is cosine to zero.
        edit_weight: How much more a token counts where the answer departs from copying, see `dataset.encode`.
        max_tokens: Longer examples (prompt and answer together) are left out, and counted.
        save_every, evaluate_every: In steps.
        threads: CPU threads of PyTorch, null for every core of the process.
    """

    base: str
    train: str
    validation: str
    adapter: str = ""
    replay: str = ""
    replay_share: float = 0.0
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    epochs: float = 2.0
    batch_size: int = 16
    learning_rate: float = 5e-4
    warmup_share: float = 0.05
    weight_decay: float = 0.0
    edit_weight: float = 4.0
    max_tokens: int = 512
    save_every: int = 50
    evaluate_every: int = 100
    log_every: int = 5
    seed: int = 0
    threads: int | None = None
    template: Template = field(default_factory=Template)

    def __post_init__(self) -> None:
        for name in (
            "rank",
            "alpha",
            "batch_size",
            "max_tokens",
            "save_every",
            "evaluate_every",
            "log_every",
        ):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}: it must be at least 1")
        for name in ("epochs", "learning_rate", "edit_weight"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} is {getattr(self, name)}: it must be above 0")


def load_config(path: Path, **overrides: Any) -> SFTConfig:
    """Read a TOML file; overrides that are not None replace its values. UsageError names a wrong key or value."""
    return load_recipe(SFTConfig, path, {"template": Template}, overrides)
