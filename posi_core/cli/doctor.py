"""`posi doctor`: every finding as a line, with what to do below it."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer
from rich.text import Text

from . import options

_MARKS = {"ok": ("✔", "bold green"), "note": ("•", "bold yellow"), "problem": ("✖", "bold red")}


def doctor(
    quick: Annotated[bool, typer.Option("--quick", help="Load no model and rewrite nothing.")] = False,
    as_json: options.Json = False,
) -> None:
    """Say what is installed, which engine, CPU and model files there are, and what to do about each problem.

    Exit code: 1 if there is a problem. Please add the output to a bug report; it holds no prompts.
    """
    from ..doctor import examine
    from .render import console, visible
    from .rewrite import print_json

    problems = 0
    for finding in examine(run=not quick):
        problems += finding.status == "problem"
        if as_json:
            print_json(dataclasses.asdict(finding))
            continue
        mark = _MARKS[finding.status]
        console().print(Text.assemble(mark, f" {finding.name:<18} ", (visible(finding.detail), "dim")))
        if finding.advice:
            console().print(Text.assemble("    → ", (visible(finding.advice), mark[1])))
    if not as_json:
        say = f"{problems} problem{'s' * (problems != 1)}" if problems else "Everything works"
        console().print(Text(say, style="bold red" if problems else "bold green"))
    if problems:
        raise typer.Exit(1)
