"""`posi models`: what ships, whether it is whole, and how to get it back."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from ..errors import ModelFileError, UsageError
from ..models import Located, locate, verify
from ..models import pull as pull_file
from . import options

app = typer.Typer(no_args_is_help=True, help="List, verify and download the model files.")

Names = Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="Models; all if none is named.")]


@app.command("list")
def list_(as_json: options.Json = False) -> None:
    """Show every model file: role, size, licence, where it lies."""
    from .render import console
    from .rewrite import print_json

    found = locate()
    if as_json:
        for item in found:
            print_json({**_facts(item), "path": str(item.path) if item.path else None})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("role", "name", "size", "licence", "where"):
        table.add_column(heading, justify="right" if heading == "size" else "left", overflow="fold")
    for item in found:
        where = Text(str(item.path)) if item.path else Text("missing", style="red")
        size = f"{item.entry.bytes / 1e6:.1f} MB"
        table.add_row(item.entry.role, item.entry.name, size, item.entry.license, where)
    console().print(table)


@app.command("verify")
def verify_(names: Names = None) -> None:
    """Read every model file again and compare its SHA-256 with the pinned one. Exit code 1 if one differs."""
    from .render import console

    wrong = 0
    for item in _named(names):
        try:
            verify(item, fresh=True)
        except ModelFileError as error:
            wrong += 1
            console().print(Text.assemble(("✖ ", "bold red"), item.entry.name, (f"  {error}", "red")))
        else:
            console().print(Text.assemble(("✔ ", "bold green"), item.entry.name))
    if wrong:
        raise typer.Exit(1)


@app.command("pull")
def pull(
    names: Names = None,
    origin: Annotated[
        str,
        typer.Option("--from", help="Where: https://…/, file:///…/ or hf:OWNER/NAME. [default: manifest's]"),
    ] = "",
) -> None:
    """Download model files that are missing or damaged; only the very file that is pinned is kept."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    from .render import console

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    for item in _named(names):
        if not names and _whole(item):
            console().print(f"{item.entry.name} is there already", markup=False)
            continue
        quiet = not sys.stderr.isatty()
        with Progress(*columns, console=console(stderr=True), transient=True, disable=quiet) as progress:
            task = progress.add_task(item.entry.name, total=item.entry.bytes)

            def advance(done: int, total: int, task: TaskID = task, bar: Progress = progress) -> None:
                bar.update(task, completed=done)

            path = pull_file(item.entry, origin=origin, progress=advance)
        console().print(f"{item.entry.name} → {path}", markup=False)


def _named(names: list[str] | None) -> list[Located]:
    every = list(locate())
    if not names:
        return every
    known = sorted({item.entry.name for item in every})
    for name in names:
        if name not in known:
            raise UsageError(f"no model is called {name!r}: there are {', '.join(known)}")
    return [item for item in every if item.entry.name in names]


def _whole(item: Located) -> bool:
    try:
        verify(item)
    except ModelFileError:
        return False
    return True


def _facts(item: Located) -> dict[str, object]:
    entry = item.entry
    return {
        "role": entry.role,
        "name": entry.name,
        "file": entry.file,
        "bytes": entry.bytes,
        "sha256": entry.sha256,
        "license": entry.license,
        "source": entry.source,
        **entry.extra,
    }
