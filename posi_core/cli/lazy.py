"""Commands that are imported only when named: other parts register in the entry-point group `posi.commands`."""

from __future__ import annotations

from importlib import import_module, metadata
from typing import Any

import typer
from typer.core import TyperGroup

from ..requirements import missing_module

GROUP = "posi.commands"
OWN = {"bench": ("..bench", "bench")}
"""Commands of the core that are too heavy to import at every start: name -> module, attribute."""


class LazyGroup(TyperGroup):
    """A command group that also finds commands by name, and only then imports them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *OWN, *sorted(entry.name for entry in _entries())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        try:
            if cmd_name in OWN:
                module, attribute = OWN[cmd_name]
                return _command(cmd_name, getattr(import_module(module, __package__), attribute))
            for entry in _entries():
                if entry.name == cmd_name:
                    return _command(cmd_name, entry.load())
        except ModuleNotFoundError as error:
            return _unavailable(cmd_name, error, missing_module(error))
        except Exception as error:  # One broken plug-in must not take `posi --help` away.
            return _unavailable(cmd_name, error, f"{cmd_name} cannot be loaded: {error!r}")
        return None


def _entries() -> list[metadata.EntryPoint]:
    return list(metadata.entry_points(group=GROUP))


def _command(name: str, found: Any) -> Any:
    """A Typer application as a group (with one subcommand too), or a plain function as the command, `name`."""
    application = found if isinstance(found, typer.Typer) else typer.Typer()
    application.rich_markup_mode = "markdown"
    application._add_completion = False  # that belongs to `posi` itself
    if application is found:
        command: Any = typer.main.get_group(application)
    else:
        application.command(name)(found)
        command = typer.main.get_command(application)
    command.name = name
    return command


def _unavailable(name: str, error: Exception, why: str) -> Any:
    """Stands for a command that cannot be imported: its help says why, running it fails with that."""
    application = typer.Typer(add_completion=False, rich_markup_mode="markdown")

    def fail() -> None:
        raise error

    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    application.command(name, help=f"(not available) {why}", context_settings=settings)(fail)
    return typer.main.get_command(application)
