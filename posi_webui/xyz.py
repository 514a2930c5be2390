"""X/Y/Z plot: an axis for the strictness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modules import scripts

from . import policies

FIELD = "posi_policy"
LABEL = "[POSI] Strictness"


def register() -> None:
    """Adds the axis once; silently does nothing in a host without the X/Y/Z script."""
    grid = _grid_module()
    if grid is None or any(option.label == LABEL for option in grid.axis_options):
        return
    grid.axis_options.append(
        grid.AxisOption(LABEL, str, _apply, confirm=_confirm, choices=policies.names, format_value=_format)
    )


def _apply(p: Any, value: str, _: Sequence[str]) -> None:
    setattr(p, FIELD, value)


def _confirm(_: Any, values: Sequence[str]) -> None:
    for value in values:
        policies.load(value)


def _format(_: Any, __: Any, value: str) -> str:
    return f"POSI: {value}"


def _grid_module() -> Any:
    for data in scripts.scripts_data:
        if data.script_class.__module__ in ("xyz_grid.py", "scripts.xyz_grid"):
            return data.module
    return None
