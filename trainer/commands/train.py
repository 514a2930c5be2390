"""`posi train`: the rewriter's three stages, the scorer, and the second judge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

train_app = typer.Typer(help="Train rewriter and scorer.", no_args_is_help=True)

Config = Annotated[Path, typer.Option("--config", help="Recipe (TOML).", exists=True, dir_okay=False)]
Run = Annotated[Path, typer.Option("--run", help="Run folder; one that holds this run already is resumed.")]


@train_app.command("sft")
def train_sft(
    config: Config,
    run: Run,
    base: Annotated[
        str | None, typer.Option(help="Hub id, folder, GGUF file or package:NAME, instead of the recipe's.")
    ] = None,
    train: Annotated[str | None, typer.Option(help="Training set, instead of the recipe's.")] = None,
    validation: Annotated[str | None, typer.Option(help="Validation set, instead of the recipe's.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Instead of the recipe's.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; all by default.")] = None,
) -> None:
    """Fine-tune the rewriter on pairs: LoRA, loss on the answers alone."""
    from ..sft.config import load_config
    from ..sft.run import train as run_sft

    made = load_config(config, base=base, train=train, validation=validation, epochs=epochs, threads=threads)
    for name, value in run_sft(made, run).items():
        typer.echo(f"{name:24} {value:.4f}")


@train_app.command("dpo")
def train_dpo(
    config: Config,
    run: Run,
    adapter: Annotated[
        str | None, typer.Option(help="Folder of the adapter to improve, instead of the recipe's.")
    ] = None,
    pairs: Annotated[
        str | None, typer.Option(help="Pairs of `posi data best`, instead of the recipe's.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; all by default.")] = None,
) -> None:
    """Prefer the best of many answers to the greedy one, by TRL's DPO: without sampling, so CPUs will do."""
    from ..dpo import load_config, run_dpo

    made = load_config(config, adapter=adapter, pairs=pairs, threads=threads)
    means = run_dpo(made, run)
    for name in ("loss", "rewards/accuracies", "rewards/margins"):
        if name in means:
            typer.echo(f"{name:24} {means[name]:.4f}")


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
    from ..ppo.config import load_config
    from ..ppo.run import run_ppo

    made = load_config(config, adapter=adapter, prompts=prompts, steps=steps)
    for name, value in run_ppo(made, run, ray=ray, workers=workers, gpus_per_worker=gpus_per_worker).items():
        typer.echo(f"{name:24} {value:.4f}")


@train_app.command("grpo")
def train_grpo(
    config: Config,
    run: Run,
    adapter: Annotated[
        str | None, typer.Option(help="Folder of the SFT adapter, instead of the recipe's.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Updates, instead of the recipe's.")] = None,
) -> None:
    """Improve the SFT rewriter by TRL's GRPO, from a recipe of `posi train ppo`, for comparison."""
    from ..grpo import run_grpo
    from ..ppo.config import load_config

    means = run_grpo(load_config(config, adapter=adapter, steps=steps), run)
    for name in ("reward", "kl", "loss"):
        if name in means:
            typer.echo(f"{name:24} {means[name]:.4f}")


@train_app.command("extrapolate")
def train_extrapolate(
    start: Annotated[
        Path, typer.Argument(help="Folder of the adapter that training began with.", exists=True)
    ],
    end: Annotated[Path, typer.Argument(help="Folder of the adapter it ended with.", exists=True)],
    out: Annotated[Path, typer.Option("--out", help="Folder for the adapter beyond.")],
    by: Annotated[float, typer.Option(help="How far beyond END, in lengths from START to END.")] = 0.5,
    rank: Annotated[
        int | None, typer.Option(min=1, help="Cut the adapter to this rank; none: as many as it takes.")
    ] = None,
) -> None:
    """Carry a training's change on in its direction (ExPO): greedy answers then follow what samples had learned."""
    from ...posi_core.errors import UsageError
    from ..adapter_note import read_note
    from ..combine import extrapolate

    note = read_note(end)
    if read_note(start).base != note.base:
        raise UsageError(f"{start} is an adapter of {read_note(start).base}, {end} one of {note.base}")
    note.write(extrapolate(start, end, by, out, rank=rank))
    typer.echo(out)


@train_app.command("sum")
def train_sum(
    parts: Annotated[
        list[str],
        typer.Argument(help="Adapter folders, each as DIR or DIR=WEIGHT; the first names the base."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the single adapter.")],
    rank: Annotated[
        int | None, typer.Option(min=1, help="Cut the adapter to this rank; none: as many as it takes.")
    ] = None,
) -> None:
    """Add adapters up: what PPO trained on top of an SFT adapter, or what several runs learned (task arithmetic)."""
    from ..adapter_note import read_note
    from ..combine import parse_part, weighted_sum

    found = [parse_part(part) for part in parts]
    note = read_note(found[0][0])
    note.write(weighted_sum(found, out, rank=rank))
    typer.echo(out)


@train_app.command("risk")
def train_risk(
    source: Annotated[Path, typer.Option(help="Folder of the data sources.")],
    out: Annotated[Path, typer.Option(help="Folder for the scorer (ONNX), its float weights, its points.")],
    config: Annotated[
        Path | None, typer.Option(help="Recipe (TOML); none: the defaults.", exists=True)
    ] = None,
    base: Annotated[Path | None, typer.Option(help="Folder of a BERT encoder, instead of MiniLM-L6.")] = None,
) -> None:
    """Fine-tune a small encoder to predict how risky a prompt is, and export it to ONNX."""
    from ..risk.command import run_train_risk
    from ..risk.config import RiskRecipe, load_recipe
    from ..risk.encoder import find_minilm

    recipe = load_recipe(config) if config else RiskRecipe()
    run_train_risk(source, base or find_minilm(), recipe, out, report=typer.echo)


@train_app.command("judge")
def train_judge(
    source: Annotated[Path, typer.Option(help="Folder of the data sources.")],
    out: Annotated[
        Path | None, typer.Option(help="File for the judge; none: where reports look for it.")
    ] = None,
) -> None:
    """Build the second judge, which only reports ask, and check it on toxic-clean pairs."""
    from dataclasses import asdict

    from ..evaluation.judges.build import build_judge, check_judge
    from ..evaluation.judges.linear import judge_path

    judge = build_judge(source)
    judge.save(out or judge_path())
    for name, value in asdict(check_judge(judge, source)).items():
        typer.echo(f"{name:24} {value:.4f}")
