"""`posi rewrite`: prompts in, safe prompts out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from ..verdict import Verdict
from . import options
from .inputs import Prompts, read_prompts

EXIT_FAILED, EXIT_BLOCKED = 1, 3

KEYS = (
    "text",
    "action",
    "risk_before",
    "risk_after",
    "similarity",
    "changes",
    "reason",
    "seconds",
    "model",
    "policy",
)
"""What every JSON line holds, in this order; further keys follow."""


def rewrite(
    texts: options.Texts = None,
    file: options.File = None,
    syntax: options.SyntaxOption = options.Syntax.plain,
    strictness: options.StrictnessOption = None,
    policy: options.PolicyOption = None,
    bare: Annotated[
        bool,
        typer.Option("--bare", help="One greedy rewrite and nothing else: no gate, cache or retries."),
    ] = False,
    as_json: options.Json = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the cache.")] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0.0, help="Seconds allowed a prompt; later is a block.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Your own GGUF instead of the shipped model.")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads.")] = None,
    gpu_layers: Annotated[
        int | None, typer.Option("--gpu-layers", min=-1, help="Layers on the GPU; -1 is all of them.")
    ] = None,
    server: Annotated[
        str | None, typer.Option("--server", help="Base URL of an OpenAI-compatible server, …/v1.")
    ] = None,
    server_model: Annotated[str, typer.Option("--server-model", help="The model's name there.")] = "",
) -> None:
    """Make prompts safe; what is harmless comes back byte for byte.

    On a terminal the changed words are shown. In a pipe the safe prompts come out alone, one a line, in
    order; a blocked prompt leaves its replacement (or an empty line) there and its reason on standard error.

    The exit code is 0 if every prompt passed or was rewritten, 3 if any was blocked, and 1 if one was blocked
    because something failed.
    """
    from ..safe_prompt import SafePrompter

    rules = options.chosen_policy(strictness, policy)
    prompts = read_prompts(texts, file)
    choice = options.chosen_model(model, server, server_model, threads, gpu_layers)
    show = _show_json if as_json else _show_terminal if sys.stdout.isatty() else _show_plain
    blocked = failed = False
    with SafePrompter(rules, model=choice, cache=not no_cache) as prompter:
        for number, text in enumerate(_watched(prompts), 1):
            verdict = prompter.rewrite(text, syntax=syntax.value, bare=bare, deadline=timeout)
            show(verdict, number if prompts.many else None)
            blocked = blocked or verdict.blocked
            failed = failed or verdict.failed
    if blocked:
        raise typer.Exit(EXIT_FAILED if failed else EXIT_BLOCKED)


def plain(verdict: Verdict) -> dict[str, Any]:
    """The verdict as a JSON object with `KEYS` first."""
    data = verdict.to_dict()
    return {key: data.pop(key) for key in KEYS} | data


def print_json(data: Any) -> None:
    """One object a line, flushed, so that a reader in a pipe sees it at once."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    try:
        line = json.dumps(data, ensure_ascii=not unicode)
        line.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        line = json.dumps(data)
    print(line, flush=True)


def _watched(prompts: Prompts) -> Iterator[str]:
    """The prompts, with a progress bar on standard error for a file, if a person is looking there."""
    if not prompts.many or not sys.stderr.isatty() or sys.stdout.isatty():
        yield from prompts.texts
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from .render import console

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        yield from progress.track(prompts.texts, total=prompts.total)


def _show_json(verdict: Verdict, number: int | None) -> None:
    print_json(plain(verdict))


def _show_plain(verdict: Verdict, number: int | None) -> None:
    print(verdict.text, flush=True)
    if verdict.blocked:
        from .render import console, visible

        place = f"line {number}: " if number is not None else ""
        console(stderr=True).print(f"posi: {place}blocked: {visible(verdict.reason)}", markup=False)


def _show_terminal(verdict: Verdict, number: int | None) -> None:
    from .render import console, verdict_view

    screen = console()
    screen.print(verdict_view(verdict, colour=screen.color_system is not None and not screen.no_color))
