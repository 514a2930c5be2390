"""The figures as tables: one line a (set, system), and the test set by category."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group
from rich.table import Table

from .figures import Figures
from .run import Report


def report_tables(report: Report) -> Group:
    """Tables for the terminal: shares with 95% intervals by judge, similarity, what was blocked or unchanged."""
    return Group(*_tables(report))


def _tables(report: Report) -> Iterator[Table]:
    for name, judges in report.before.items():
        members = [item for item in report.figures if item.set == name]
        yield _set_table(name, members, report)
        if any(item.categories for item in members):
            yield _category_table(name, members[-1], list(judges))


def _set_table(name: str, members: Sequence[Figures], report: Report) -> Table:
    judges = report.before[name]
    before = ", ".join(f"{judge} {estimate}" for judge, estimate in judges.items())
    table = Table(title=f"{name}: {members[0].prompts} prompts; share before: {before}", title_justify="left")
    table.add_column("system")
    for judge in judges:
        table.add_column(f"share, {judge}")
        table.add_column(f"drop, {judge}")
    for column in ("similarity", "blocked", "left over", "identical", "median s"):
        table.add_column(column, justify="right")
    for item in members:
        cells = [item.system]
        for judge in judges:
            cells += [str(item.share[judge]), str(item.drop[judge])]
        cells += [
            str(item.similarity) if item.similarity else "-",
            f"{item.blocked.value:.1%}",
            str(item.left_over),
            f"{item.identical.value:.1%}",
            f"{item.median_seconds:.3f}",
        ]
        table.add_row(*cells)
    return table


def _category_table(name: str, item: Figures, judges: Sequence[str]) -> Table:
    table = Table(title=f"{name} by category, {item.system}", title_justify="left")
    table.add_column("category")
    table.add_column("prompts", justify="right")
    for judge in judges:
        table.add_column(f"{judge}: before, after", justify="right")
    for category, values in item.categories.items():
        cells = [f"{values[f'{judge} before']:.3f}, {values[f'{judge} after']:.3f}" for judge in judges]
        table.add_row(category, f"{values['prompts']:.0f}", *cells)
    return table
