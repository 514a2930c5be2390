"""`posi data`: training data from public sources, and from a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(help="Build training data.", no_args_is_help=True)


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
    from ..data.build import REPORT_FILE, BuildConfig, build
    from ..data.download import fetch_sources

    if source is None:
        fetch_sources(download_to, typer.echo)
    report = build(source or download_to, out, BuildConfig(seed=seed))
    for part in ("train_rows", "validation_rows"):
        typer.echo(f"{part}: {report[part]}")
    for name, reasons in report["dropped"].items():
        typer.echo(f"dropped from {name}: {reasons}")
    typer.echo(f"examples of what was dropped: {out / REPORT_FILE}")


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

    from ...posi_core.prompt_file import read_prompts
    from ...posi_core.risk import load_scorer
    from ...posi_core.similarity import load_encoder
    from ..teacher.run import TeachSettings, estimate, remaining, teach

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


@data_app.command("best")
def data_best(
    prompts: Annotated[
        list[Path] | None,
        typer.Option(
            "--prompts",
            help="Files of prompts to rewrite, or of pairs, whose clean sides take part in the choice "
            "[default: data/sft/rl_prompts.jsonl.gz].",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the pairs; an unfinished one is gone on with.")
    ] = Path("data/best"),
    config: Annotated[
        Path, typer.Option("--config", help="Recipe of `posi train ppo` or `dpo`, for its distilled reward.")
    ] = Path("trainer/recipes/smollm2-135m/ppo.toml"),
    model: Annotated[
        Path | None, typer.Option("--model", help="GGUF that samples; the shipped one by default.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many prompts, drawn by the seed.")] = 1600,
    rounds: Annotated[
        int, typer.Option(min=0, help="Rounds of rewrites kept from the words that the scorer blames.")
    ] = 2,
    samples: Annotated[
        int,
        typer.Option(
            min=0, help="Samples a prompt; without them and rounds the pairs of --prompts are sorted."
        ),
    ] = 0,
    search: Annotated[
        str,
        typer.Option(help="Policy whose whole search also gives an answer, where it finds one; empty: none."),
    ] = "",
    favourites: Annotated[
        float, typer.Option(min=0.0, help="Price of new words, times their share of the greedy rewrites.")
    ] = 0.0,
    harmless: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="A prompt of at most this predicted risk stays as it is.")
    ] = 0.2,
    temperature: Annotated[float, typer.Option(min=0.05, help="Of the samples.")] = 0.9,
    seed: Annotated[int, typer.Option(help="Of the draw and the samples.")] = 0,
) -> None:
    """Pairs of prompts and the best of the rewriter's own answers by the reward, for SFT to go on with."""
    import random

    from rich.progress import Progress

    from ...posi_core.prompt_file import read_rows
    from ...posi_core.risk import load_scorer
    from ...posi_core.safe_prompt import Parts, SafePrompter
    from ..data.best import BestOf, best_of
    from ..data.guided import Guide
    from ..evaluation.names import NameFinder, common_words
    from ..rewards.build import reward_of

    files = prompts or [Path("data/sft/rl_prompts.jsonl.gz")]
    rows = [row for file in files for row in read_rows(file)]
    captions = [row["prompt"] for row in rows if row.get("source") == "coco_captions"]
    texts = list(dict.fromkeys(row["prompt"] for row in rows))
    random.Random(seed).shuffle(texts)
    texts = texts[:count]
    guide = Guide(load_scorer(), NameFinder(common_words(captions)), rounds) if rounds else None
    parts = Parts(model)
    searching = SafePrompter(search or "standard", parts=parts, cache=False)  # loads nothing by itself

    def found_by_search(prompt: str) -> str:
        verdict = searching.rewrite(prompt, syntax="plain")
        return "" if verdict.blocked else verdict.text

    try:
        with Progress() as bar:
            task = bar.add_task("best of n", total=len(texts))
            counts = best_of(
                texts,
                out,
                parts.rewriter(),
                reward_of(config),
                BestOf(
                    samples=samples,
                    temperature=temperature,
                    harmless=harmless,
                    favourites=favourites,
                    seed=seed,
                ),
                known={row["prompt"]: row["clean"] for row in rows if row.get("clean")},
                guide=guide,
                search=found_by_search if search else None,
                progress=lambda done: bar.advance(task, done),
            )
    finally:
        parts.close()
    for name, number in sorted(counts.items(), key=lambda item: -item[1]):
        typer.echo(f"{name:24} {number}")
