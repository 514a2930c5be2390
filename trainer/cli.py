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


@data_app.command("build")
def data_build(
    out: Annotated[Path, typer.Option(help="Folder for the sets and the report.")] = Path("data/sft"),
    source: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Folder with the source files; without it they are downloaded."
        ),
    ] = None,
    download_to: Annotated[Path, typer.Option(help="Where downloads go, and stay.")] = Path("data/source"),
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
) -> None:
    """Build the SFT sets from the public sources, and say what was dropped and why."""
    from .data.build import REPORT_FILE, BuildConfig, build
    from .data.download import fetch_sources

    if source is None:
        fetch_sources(download_to, typer.echo)
    report = build(source or download_to, out, BuildConfig(seed=seed))
    for part in ("train_rows", "validation_rows"):
        typer.echo(f"{part}: {report[part]}")
    for name, reasons in report["dropped"].items():
        typer.echo(f"dropped from {name}: {reasons}")
    typer.echo(f"examples of what was dropped: {out / REPORT_FILE}")


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
    from .sft.config import load_config
    from .sft.run import train as run_sft

    made = load_config(config, base=base, train=train, validation=validation, epochs=epochs, threads=threads)
    for name, value in run_sft(made, run).items():
        typer.echo(f"{name:24} {value:.4f}")


@export_app.callback(invoke_without_command=True)
def export_rewriter(
    context: typer.Context,
    adapter: Annotated[
        Path | None, typer.Option(help="Folder of a trained adapter; the shipped one by default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="GGUF file to write.")] = Path("posi-rewriter.gguf"),
    kind: Annotated[str, typer.Option("--type", help="File type, such as q4_0, q8_0 or f16.")] = "q4_0",
    base: Annotated[
        str | None, typer.Option(help="Base model, instead of the one the adapter names.")
    ] = None,
    calibration: Annotated[
        Path, typer.Option(help="Prompts (text or JSON lines) that calibrated types are rounded for.")
    ] = Path("data/sft/sft_train.jsonl.gz"),
    calibration_prompts: Annotated[int, typer.Option(min=1, help="How many of them.")] = 192,
    lora: Annotated[Path | None, typer.Option(help="Also write the adapter alone as a GGUF LoRA.")] = None,
    converter: Annotated[
        Path | None, typer.Option(help="llama.cpp's convert_hf_to_gguf.py, for a base that is no GGUF.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare llama.cpp with transformers; write nothing.")
    ] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Compare file types; write nothing.")] = False,
    types: Annotated[str, typer.Option(help="Types to compare.")] = (
        "f16,q8_0,q5_1,q5_0,q4_1,iq4_nl,q4_0-plain,q4_0"
    ),
    prompts: Annotated[Path, typer.Option(help="Prompts to verify or compare with.")] = Path(
        "data/source/posi_test.jsonl.gz"
    ),
    count: Annotated[int, typer.Option(min=1, help="How many of them.")] = 100,
) -> None:
    """Merge an adapter into its base and write one GGUF file that the rewriter runs as it is."""
    if context.invoked_subcommand is not None:
        return
    from ..posi_core.models import find
    from ..posi_core.prompt_file import read_prompts
    from .export.export import ExportRequest, export
    from .export.quantize import quant_type

    names = [name.strip() for name in types.split(",")] if compare else [kind]
    needs_prompts = not verify and any(quant_type(name).calibrated for name in names)

    request = ExportRequest(
        adapter=adapter or find("adapter").parent,
        out=out,
        kind=kind,
        base=base,
        calibration=read_prompts(calibration, calibration_prompts) if needs_prompts else (),
        lora_out=lora,
        converter=converter,
        threads=threads,
    )

    def say(line: str) -> None:
        typer.echo(line, err=True)

    if verify:
        from .export.verify import verify as run_verify

        result = run_verify(request, read_prompts(prompts, count), say)
        for prompt, ours, theirs in result.differing:
            typer.echo(f"prompt       {prompt}\nllama.cpp    {ours}\ntransformers {theirs}\n")
        typer.echo(f"equal greedy output: {result.equal} of {result.prompts} (95% are required)")
        raise typer.Exit(0 if result.passed else 1)
    if compare:
        from ..posi_core.similarity import load_encoder
        from .export.compare import compare as run_compare

        rows = run_compare(request, read_prompts(prompts, count), names, load_encoder(), say)
        typer.echo(f"{'type':12} {'MB':>7} {'tokens/s':>9} {'cosine':>7} {'equal':>6}")
        for row in rows:
            typer.echo(
                f"{row.name:12} {row.megabytes:7.1f} {row.tokens_per_second:9.1f} {row.cosine:7.4f} {row.equal:6.2f}"
            )
        return
    written = export(request, say)
    typer.echo(f"{written} ({written.stat().st_size / 1e6:.1f} MB)")


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
    adapter: Annotated[
        str | None, typer.Option(help="Folder of the SFT adapter, instead of the recipe's.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Updates, instead of the recipe's.")] = None,
) -> None:
    """Improve the SFT rewriter by TRL's GRPO, from a recipe of `posi train ppo`, for comparison."""
    from .grpo import run_grpo
    from .ppo.config import load_config

    means = run_grpo(load_config(config, adapter=adapter, steps=steps), run)
    for name in ("reward", "kl", "loss"):
        if name in means:
            typer.echo(f"{name:24} {means[name]:.4f}")


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
    from .evaluation.console import run_prompts

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
    from .evaluation.console import run_obfuscation

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
    from .evaluation.console import run_fuzz

    if not run_fuzz(count, seed, policy, source, words=words, out=out, as_json=as_json):
        raise typer.Exit(1)


@data_app.command("teach")
def data_teach(
    prompts: Annotated[
        Path, typer.Option("--prompts", help="Toxic prompts: JSON lines or one a line.", exists=True)
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Pairs (JSON lines); an unfinished file is gone on with.")
    ],
    base_url: Annotated[str, typer.Option(help="OpenAI-compatible endpoint, ending in /v1.")],
    model: Annotated[str, typer.Option(help="The model's name there.")],
    concurrency: Annotated[int, typer.Option(min=1, help="Requests at once.")] = 8,
    per_minute: Annotated[
        float, typer.Option(min=0, help="Requests a minute at most; 0 for no limit.")
    ] = 0.0,
    price_in: Annotated[float, typer.Option(min=0, help="Dollars a million prompt tokens.")] = 0.0,
    price_out: Annotated[float, typer.Option(min=0, help="Dollars a million answer tokens.")] = 0.0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask after the estimate.")] = False,
) -> None:
    """Let a large model write the clean twin of each prompt. The key is read from POSI_API_KEY."""
    from rich.progress import Progress

    from ..posi_core.prompt_file import read_prompts
    from ..posi_core.risk import load_scorer
    from ..posi_core.similarity import load_encoder
    from .teacher.run import TeachSettings, estimate, remaining, teach

    settings = TeachSettings(
        base_url,
        model,
        concurrency=concurrency,
        per_minute=per_minute,
        price_in=price_in,
        price_out=price_out,
    )
    todo = remaining(read_prompts(prompts), out)
    cost = estimate(todo, settings)
    typer.echo(
        f"{cost.prompts} prompts to ask for, about {cost.tokens_in + cost.tokens_out} tokens, ${cost.dollars:.2f}",
        err=True,
    )
    if todo and not yes:
        typer.confirm("Go on?", abort=True, err=True)
    with Progress(disable=not todo) as bar:
        task = bar.add_task("teach", total=len(todo))
        counts = teach(
            todo,
            out,
            settings,
            load_scorer(),
            load_encoder(),
            progress=lambda count: bar.advance(task, count),
        )
    for name, count in sorted(counts.items(), key=lambda item: -item[1]):
        typer.echo(f"{name:12} {count}")


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
    from .risk.command import run_train_risk
    from .risk.config import RiskRecipe, load_recipe
    from .risk.encoder import find_minilm

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

    from .evaluation.judges.build import build_judge, check_judge
    from .evaluation.judges.linear import judge_path

    judge = build_judge(source)
    judge.save(out or judge_path())
    for name, value in asdict(check_judge(judge, source)).items():
        typer.echo(f"{name:24} {value:.4f}")


@export_app.command("encoder")
def export_encoder(
    out: Annotated[Path, typer.Option(help="Folder for the encoder.")],
    base: Annotated[Path | None, typer.Option(help="Folder of a BERT encoder, instead of MiniLM-L6.")] = None,
) -> None:
    """The sentence encoder that compares a rewrite with its original, as int8 ONNX."""
    from .risk.command import run_export_encoder
    from .risk.encoder import find_minilm

    typer.echo(run_export_encoder(base or find_minilm(), out))


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
    from .evaluation.risk.command import run_eval_risk

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
    from .evaluation.images.command import run_images
    from .rewards.image import ImageRewardSpec

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


@eval_app.command("names")
def eval_names(
    run: Annotated[
        Path, typer.Argument(help="Folder of a `posi eval prompts` run.", exists=True, file_okay=False)
    ],
    source: Annotated[Path, typer.Option(help="Folder of the data sources.")],
) -> None:
    """Which share of the test prompts' names (artists, characters) is still in the rewrites?"""
    from .evaluation.names import names_of_run

    for system, found in names_of_run(run, source).items():
        typer.echo(
            f"{system}: {found.kept} of {found.names} names kept; "
            f"{found.harmless_kept} of the {found.harmless_names} without risk"
        )
