"""`posi eval`: what was trained, measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

eval_app = typer.Typer(help="Measure what was trained.", no_args_is_help=True)


@eval_app.command("prompts")
def eval_prompts(
    file: Annotated[Path | None, typer.Argument(help="Prompts, one a line, instead of the sets.")] = None,
    source: Annotated[Path | None, typer.Option(help="Folder of the data sources.")] = None,
    sets: Annotated[
        str, typer.Option(help="Which sets: test,coprov2,coco,users.")
    ] = "test,coprov2,coco,users",
    model: Annotated[
        list[str] | None, typer.Option(help="NAME=FILE.gguf, repeatable; none: the shipped one.")
    ] = None,
    policies: Annotated[str, typer.Option(help="Presets or policy files, by commas.")] = "standard,strict",
    bare: Annotated[bool, typer.Option(help="Also one bare greedy rewrite.")] = True,
    limit: Annotated[int | None, typer.Option(min=1, help="Prompts of each set, at most.")] = None,
    judge: Annotated[Path | None, typer.Option(help="The second judge's file.")] = None,
    out: Annotated[Path, typer.Option(help="Run folder; one that holds this run already is resumed.")] = Path(
        "runs/eval-prompts"
    ),
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of the engine.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The figures as one JSON object.")] = False,
) -> None:
    """What the bare rewriter and the pipeline do to risky and harmless prompts, by both judges."""
    from ..evaluation.console import run_prompts

    run_prompts(
        file,
        source,
        sets.split(","),
        model or [],
        policies.split(",") if policies else [],
        bare=bare,
        limit=limit,
        judge=judge,
        out=out,
        threads=threads,
        as_json=as_json,
    )


@eval_app.command("obfuscation")
def eval_obfuscation(
    source: Annotated[Path, typer.Option(help="Folder of the data sources.")],
    policy: Annotated[str, typer.Option(help="Preset or policy file.")] = "standard",
    limit: Annotated[int, typer.Option(min=1, help="Prompts of each kind, at most.")] = 600,
    piped: Annotated[int, typer.Option(min=0, help="Prompts of each obfuscation through the pipeline.")] = 40,
    out: Annotated[Path | None, typer.Option(help="Also write the figures there (JSON).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The figures as one JSON object.")] = False,
) -> None:
    """Does the gate see risky prompts that were written to hide from it?"""
    from ..evaluation.console import run_obfuscation

    run_obfuscation(source, policy, limit=limit, piped=piped, out=out, as_json=as_json)


@eval_app.command("fuzz")
def eval_fuzz(
    count: Annotated[int, typer.Option(min=1, help="How many prompts.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Another seed, other prompts.")] = 0,
    policy: Annotated[str, typer.Option(help="Preset or policy file.")] = "standard",
    source: Annotated[
        Path | None, typer.Option(help="Folder of the data sources, to mutate held-out prompts.")
    ] = None,
    words: Annotated[
        bool,
        typer.Option(
            "--words", help="Judge by a word list: a tenth of the time; the pipeline's logic alone."
        ),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the report there (JSON).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as one JSON object.")] = False,
) -> None:
    """Mutated prompts through the pipeline, with a rewriter that wants to fail it; exit code 1 if it does."""
    from ..evaluation.console import run_fuzz

    if not run_fuzz(count, seed, policy, source, words=words, out=out, as_json=as_json):
        raise typer.Exit(1)


@eval_app.command("risk")
def eval_risk(
    source: Annotated[Path, typer.Option(help="Folder of the data sources.")],
    out: Annotated[Path, typer.Option(help="Folder for figures, curve and word listing.")] = Path(
        "runs/eval-risk"
    ),
    model: Annotated[Path | None, typer.Option(help="A scorer, instead of the shipped one.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Prompts of each set, at most.")] = None,
) -> None:
    """Every figure of the risk scorer on held-out prompts, with the curve of recall against disturbance."""
    from ..evaluation.risk.command import run_eval_risk

    typer.echo(run_eval_risk(source, out, model=model, limit=limit))


@eval_app.command("images")
def eval_images(
    prompts: Annotated[
        Path, typer.Argument(help="JSON lines with prompt (and categories), or one prompt a line.")
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder of scores and sheets; an unfinished one is gone on with.")
    ],
    q16_vectors: Annotated[
        Path, typer.Option(help="Q16's prompt vectors: prompts.p of ml-research/Q16, or .npy.")
    ],
    rewriter: Annotated[
        str, typer.Option(help="What is drawn: none, bare, pipeline; several by commas.")
    ] = "none,pipeline",
    model: Annotated[
        Path | None, typer.Option(help="GGUF file of the rewriter; none: the shipped one.")
    ] = None,
    policy: Annotated[str, typer.Option(help="Preset or policy file of the pipeline.")] = "standard",
    pipeline: Annotated[
        str, typer.Option(help="diffusers model: hub id or folder.")
    ] = "CompVis/stable-diffusion-v1-4",
    images: Annotated[int, typer.Option(min=1, help="Images a prompt.")] = 10,
    steps: Annotated[int, typer.Option(min=1, help="Denoising steps.")] = 50,
    size: Annotated[int | None, typer.Option(min=8, help="Pixels a side; none: the model's own.")] = None,
    clip: Annotated[str, typer.Option(help="open_clip MODEL:WEIGHTS of the alignment.")] = "ViT-B-32:openai",
    q16_clip: Annotated[str, typer.Option(help="open_clip MODEL:WEIGHTS of Q16.")] = "ViT-L-14:openai",
    device: Annotated[str, typer.Option(help="torch device.")] = "cpu",
    show: Annotated[bool, typer.Option("--show", help="Contact sheets without blur.")] = False,
) -> None:
    """The I2P protocol on images: how often do the detectors object, before and after rewriting?"""
    from ..evaluation.images.command import run_images
    from ..rewards.image import ImageRewardSpec

    clip_model, _, clip_pretrained = clip.partition(":")
    q16_model, _, q16_pretrained = q16_clip.partition(":")
    spec = ImageRewardSpec(
        q16_vectors=str(q16_vectors),
        pipeline=pipeline,
        images=images,
        steps=steps,
        size=size,
        device=device,
        clip_model=clip_model,
        clip_pretrained=clip_pretrained,
        q16_model=q16_model,
        q16_pretrained=q16_pretrained,
    )
    run_images(prompts, out, spec, rewriter.split(","), model=model, policy=policy, blur=not show)


RUN = Annotated[
    Path, typer.Argument(help="Folder of a `posi eval prompts` run.", exists=True, file_okay=False)
]
RUN_FILE = Annotated[
    Path | None, typer.Argument(help="The file of prompts it ran on; none: the paper's test prompts.")
]


@eval_app.command("names")
def eval_names(
    run: RUN,
    source: Annotated[Path, typer.Option(help="Folder of the data sources.")],
    file: RUN_FILE = None,
) -> None:
    """Which share of the prompts' names (artists, characters) is still in the rewrites?"""
    from ..evaluation.names import names_of_run
    from ..evaluation.prompts.sets import set_of_run

    for system, found in names_of_run(run, set_of_run(file, source), source).items():
        typer.echo(
            f"{system}: {found.kept} of {found.names} names kept; "
            f"{found.harmless_kept} of the {found.harmless_names} without risk"
        )


@eval_app.command("reward")
def eval_reward(
    run: RUN,
    file: RUN_FILE = None,
    source: Annotated[Path | None, typer.Option(help="Folder of the data sources.")] = None,
    config: Annotated[
        Path, typer.Option("--config", help="Recipe of `posi train ppo`, for its reward.")
    ] = Path("trainer/recipes/smollm2-135m/ppo.toml"),
) -> None:
    """The reward of each bare rewriter of a run, its parts, and its paired difference to the first one's."""
    from ..evaluation.prompts.sets import set_of_run
    from ..evaluation.reward import rewards_of_run
    from ..ppo.config import load_config
    from ..rewards.build import build_reward

    recipe = load_config(config)
    options = dict(recipe.reward_options)
    if source is not None and "names_source" in options:
        options["names_source"] = str(source)
    reward = build_reward(recipe.reward, options)
    for found in rewards_of_run(run, set_of_run(file, source), reward):
        gain = "" if found.gain is None else f"; gain {found.gain}"
        typer.echo(f"{found.system}: reward {found.score} of {found.prompts} prompts{gain}")
        typer.echo("  " + ", ".join(f"{name} {value}" for name, value in found.parts.items()))
