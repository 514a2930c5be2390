"""The trainer's commands: `posi data`, `posi train`, `posi export`, `posi eval`. Each imports its work when run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(help="Build training data.", no_args_is_help=True)
train_app = typer.Typer(help="Train rewriter and scorer.", no_args_is_help=True)
export_app = typer.Typer(help="Export a trained rewriter to GGUF.")
eval_app = typer.Typer(help="Measure what was trained.", no_args_is_help=True)

Config = Annotated[Path, typer.Option("--config", help="Recipe (TOML).", exists=True, dir_okay=False)]
Run = Annotated[Path, typer.Option("--run", help="Run folder; one that holds this run already is resumed.")]


@train_app.command("ppo")
def train_ppo(
    config: Config,
    run: Run,
    adapter: Annotated[
        str | None, typer.Option(help="Folder of the SFT adapter, instead of the recipe's.")
    ] = None,
    prompts: Annotated[str | None, typer.Option(help="File of prompts, instead of the recipe's.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Updates, instead of the recipe's.")] = None,
    ray: Annotated[
        str, typer.Option(help="Ray address (or auto, local): draw the image reward's images there.")
    ] = "",
    workers: Annotated[int, typer.Option(min=1, help="Reward workers on Ray.")] = 1,
    gpus_per_worker: Annotated[float, typer.Option(min=0, help="GPUs of each reward worker.")] = 0.0,
) -> None:
    """Improve the SFT rewriter by PPO. With several GPUs: accelerate launch -m posi.trainer.ppo --config … --run …"""
    from .ppo.config import load_config
    from .ppo.run import run_ppo

    made = load_config(config, adapter=adapter, prompts=prompts, steps=steps)
    for name, value in run_ppo(made, run, ray=ray, workers=workers, gpus_per_worker=gpus_per_worker).items():
        typer.echo(f"{name:24} {value:.4f}")


@train_app.command("grpo")
def train_grpo(
    config: Config,
    run: Run,
    adapter: Annotated[Optional[str], typer.Option(help="Folder of the SFT adapter, instead of the recipe's.")] = None,
    steps: Annotated[Optional[int], typer.Option(min=1, help="Updates, instead of the recipe's.")] = None,
) -> None:
    """Improve the SFT rewriter by TRL's GRPO, from a recipe of `posi train ppo`, for comparison."""
    from .grpo import run_grpo
    from .ppo.config import load_config

    means = run_grpo(load_config(config, adapter=adapter, steps=steps), run)
    for name in ("reward", "kl", "loss"):
        if name in means:
            typer.echo(f"{name:24} {means[name]:.4f}")
