"""Recipes: one TOML file a run, filled into a dataclass; a key that it does not have is an error, not a no-op."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..posi_core.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")


def load_recipe(
    kind: type[T], path: Path, tables: Mapping[str, type[Any]], overrides: Mapping[str, Any] | None = None
) -> T:
    """Read `path` into `kind`; `tables` are the keys that hold a dataclass of their own.

    Overrides that are not None replace the file's values. Raises UsageError when it is no TOML file, or as `fill`.
    """
    values = read_toml(path)
    for name, inner in tables.items():
        if name in values:
            values[name] = fill(inner, values[name], str(path), f"{name}.")
    values.update({key: value for key, value in (overrides or {}).items() if value is not None})
    return fill(kind, values, str(path))


def read_toml(path: Path) -> dict[str, Any]:
    """Raises UsageError when `path` is no TOML file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as TOML: {error}") from None


def fill(kind: type[T], values: Mapping[str, Any], where: str, table: str = "") -> T:
    """`kind(**values)`, lists as tuples. Raises UsageError naming `where` and the unknown or missing key.

    `table` is the dotted place of the values in the file, such as "training.", for the message.
    """
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise UsageError(f"{where}: unknown key {table + key!r}: use {', '.join(sorted(known))}")
    try:
        return kind(
            **{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        )
    except TypeError as error:
        raise UsageError(f"{where}: {error}") from None
