"""`posi bench`: how fast the rewriter is, and whether it says what plain greedy decoding says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from .measure import Answers, Measurement


def bench(
    prompts: Annotated[
        Path | None,
        typer.Option(
            "--prompts", help='Text (one a line) or JSON lines with "prompt"; default: 100 of our own.'
        ),
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="How many of them.")] = 100,
    model: Annotated[
        Path | None, typer.Option("--model", help="Your own GGUF instead of the shipped model.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="CPU threads of both sides.")
    ] = None,
    gpu_layers: Annotated[int | None, typer.Option("--gpu-layers", min=-1, help="Layers on the GPU.")] = None,
    flash_attention: Annotated[
        bool, typer.Option(help="On both sides. Without it a batch rounds otherwise than single tokens.")
    ] = True,
    repeats: Annotated[
        int, typer.Option("--repeats", min=1, help="Times; the best of each prompt counts.")
    ] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON object.")] = False,
) -> None:
    """Compare the rewriter's engine with llama-cpp-python's create_completion, greedy, in one run.

    Both sides have the same weights, threads, prompts and limits, a process of their own, and keep the template's
    tokens between prompts. They take turns of ten prompts.
    """
    from ..models import find
    from ..prompt_file import read_prompts
    from .measure import Setting, measure
    from .prompts import our_own

    texts = read_prompts(prompts, count) if prompts else our_own(count)
    setting = Setting(find("rewriter", model), threads, gpu_layers, flash_attention, repeats=repeats)

    def progress(done: int) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\r{done}/{len(texts)} prompts", err=True, nl=done == len(texts))

    measurement = measure(texts, setting, progress)
    for line in report(measurement, setting.model.name):
        typer.echo(line)
    if as_json:
        typer.echo(json.dumps(summary(measurement)))


def report(measured: Measurement, name: str) -> list[str]:
    """Lines for people."""
    ours, plain = measured.ours, measured.plain

    def row(title: str, left: str, right: str) -> str:
        return f"{title:<28}{left:>12}{right:>20}"

    lines = [
        f"{name}, {len(ours.texts)} prompts, {measured.threads} threads",
        row("", "posi", "create_completion"),
        row("median latency", f"{ours.median * 1e3:.1f} ms", f"{plain.median * 1e3:.1f} ms"),
        row("90% are under", _ninety(ours), _ninety(plain)),
        row("tokens per second", f"{ours.tokens_per_second:.0f}", f"{plain.tokens_per_second:.0f}"),
        row("start to first answer", f"{ours.start:.2f} s", f"{plain.start:.2f} s"),
        row("peak memory, its process", _megabytes(ours.peak_memory), _megabytes(plain.peak_memory)),
        row("peak memory, this process", _megabytes(_own_peak()), ""),
        f"speedup {measured.speedup:.2f}, identical texts {measured.identical:.1%}",
        f"draft tokens accepted {acceptance(measured):.1%} of {measured.drafted}, "
        f"{measured.ours.tokens / max(measured.rounds, 1):.1f} tokens a batch",
    ]
    for difference in measured.differences:
        kind = "near-tie" if difference.near_tie else "NOT A NEAR-TIE"
        lines += [
            f"{kind}: gap {difference.gap:+.4f}, rounding moves logits by up to {difference.noise:.4f}",
            f"  posi   {difference.ours}",
            f"  plain  {difference.plain}",
        ]
    return lines


def summary(measured: Measurement) -> dict[str, Any]:
    """Plain data for --json; seconds and bytes."""
    ours, plain = measured.ours, measured.plain
    return {
        "speedup": round(measured.speedup, 4),
        "identical": round(measured.identical, 4),
        "near_ties": sum(difference.near_tie for difference in measured.differences),
        "unexplained": sum(not difference.near_tie for difference in measured.differences),
        "prompts": len(ours.texts),
        "threads": measured.threads,
        "median_seconds": ours.median,
        "median_seconds_plain": plain.median,
        "tokens_per_second": ours.tokens_per_second,
        "tokens_per_second_plain": plain.tokens_per_second,
        "acceptance": acceptance(measured),
        "start_seconds": ours.start,
        "start_seconds_plain": plain.start,
        "peak_memory_host": _own_peak(),
        "peak_memory_worker": ours.peak_memory,
        "peak_memory_plain": plain.peak_memory,
    }


def acceptance(measured: Measurement) -> float:
    return measured.accepted / max(measured.drafted, 1)


def _own_peak() -> int | None:
    from ..engine.serving import memory

    return memory()["peak_memory"]


def _ninety(answers: Answers) -> str:
    return f"{sorted(answers.seconds)[int(len(answers.seconds) * 0.9)] * 1e3:.1f} ms"


def _megabytes(value: int | None) -> str:
    return "?" if value is None else f"{value / 2**20:.0f} MiB"
