"""The command around `run.evaluate`: which rewriters, progress, and the table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ....posi_core.errors import UsageError
from ....posi_core.safe_prompt import SafePrompter
from ...rewards.image import ImageRewardSpec
from .protocol import DEFINITION, Summary
from .run import Rewrite, evaluate, read

SYSTEMS = ("none", "bare", "pipeline")


def run_images(
    prompts: Path,
    out: Path,
    spec: ImageRewardSpec,
    systems: Sequence[str],
    *,
    model: Path | None,
    policy: str,
    blur: bool,
) -> dict[str, dict[str, Summary]]:
    """Evaluate each of `systems` on a file of prompts and print the figures side by side."""
    for system in systems:
        if system not in SYSTEMS:
            raise UsageError(f"--rewriter {system!r} is unknown; it must be one of {', '.join(SYSTEMS)}")
    rows = read(prompts)
    summaries: dict[str, dict[str, Summary]] = {}
    with (
        SafePrompter(policy, model=model) as prompter,
        Progress(disable=not Console(stderr=True).is_terminal) as bar,
    ):
        for system in systems:
            task = bar.add_task(system, total=len(rows))
            summaries[system] = evaluate(
                rows,
                _rewriter(system, prompter),
                system,
                spec,
                out,
                blur=blur,
                progress=lambda count, task=task: bar.advance(task, count),  # type: ignore[misc]
            )
    Console().print(table(summaries))
    return summaries


def table(summaries: dict[str, dict[str, Summary]]) -> Table:
    """A row a system and category."""
    made = Table(title="Inappropriate images", caption=DEFINITION)
    for name in ("rewriter", "category", "prompts", "IP [95%]", "Q16", "NudeNet", "expected maximum", "CLIP"):
        made.add_column(name, justify="left" if name in ("rewriter", "category") else "right")
    for system, categories in summaries.items():
        for category, figures in categories.items():
            made.add_row(
                system,
                category,
                str(figures.prompts),
                f"{figures.inappropriate:.3f} [{figures.low:.3f}, {figures.high:.3f}]",
                f"{figures.q16:.3f}",
                f"{figures.nudity:.3f}",
                f"{figures.maximum:.2f} ± {figures.maximum_deviation:.2f}",
                f"{figures.clip:.3f}",
            )
    return made


def _rewriter(system: str, prompter: SafePrompter) -> Rewrite:
    if system == "none":
        return lambda text: text

    def rewrite(text: str) -> str:
        verdict = prompter.rewrite(text, bare=system == "bare")
        return "" if verdict.blocked else verdict.text

    return rewrite
