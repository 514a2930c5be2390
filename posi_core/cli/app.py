"""The Typer application and its one place where errors become a line and an exit code."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated

import typer

from ..errors import PosiError, UsageError
from ..requirements import missing_module
from . import check, doctor, models, rewrite
from .lazy import LazyGroup

EXIT_FAILURE, EXIT_USAGE = 1, 2

app = typer.Typer(
    name="posi",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 passed or rewritten, 3 blocked, 2 bad usage, 1 failure.",
)
app.command("rewrite")(rewrite.rewrite)
app.command("check")(check.check)
app.add_typer(models.app, name="models")
app.command("doctor")(doctor.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"posi {metadata.version('posi-safe-prompt')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Safe prompts for text-to-image models, offline."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line (default: this process's arguments) and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        # A lone surrogate or a terminal without Unicode must not turn an answer into a crash.
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(OSError, ValueError):
                stream.reconfigure(errors="backslashreplace")
    try:
        app(args=None if arguments is None else list(arguments), prog_name="posi")
    except UsageError as error:
        _fail(str(error), EXIT_USAGE)
    except PosiError as error:
        _fail(str(error), EXIT_FAILURE)
    except ModuleNotFoundError as error:
        _fail(missing_module(error), EXIT_FAILURE)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}", EXIT_FAILURE)


def _fail(message: str, code: int) -> None:
    from .render import error_line

    error_line(message)
    sys.exit(code)
