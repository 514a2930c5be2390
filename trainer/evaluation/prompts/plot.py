"""The picture of an evaluation: shares before and after by both judges, one dot a prompt, and identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .bootstrap import Estimate
from .figures import Figures

if TYPE_CHECKING:
    from .run import Shares


def plot_report(
    figures: Sequence[Figures],
    before: Mapping[str, Mapping[str, Estimate]],
    shares: Mapping[str, Mapping[str, Shares]],
    path: Path,
) -> None:
    """Write a PNG with a row for each set: bars of the predicted share, dots before against after, actions."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sets = list(before)
    figure = Figure(figsize=(15, 4.2 * len(sets)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(sets), 3, squeeze=False)
    for (bars, dots, actions), name in zip(axes, sets, strict=True):
        members = [item for item in figures if item.set == name]
        _bars(bars, members, before[name], name)
        _dots(dots, members[-1].system, shares[name])
        _actions(actions, members)
    figure.savefig(path, dpi=110)


def _bars(axis: Any, members: Sequence[Figures], before: Mapping[str, Estimate], name: str) -> None:
    labels = ["before", *(item.system for item in members)]
    width = 0.8 / len(before)
    for number, judge in enumerate(before):
        estimates = [before[judge], *(item.share[judge] for item in members)]
        values = [estimate.value for estimate in estimates]
        errors = [[e.value - e.low for e in estimates], [e.high - e.value for e in estimates]]
        places = [at + (number - (len(before) - 1) / 2) * width for at in range(len(labels))]
        axis.bar(places, values, width, yerr=errors, capsize=3, label=judge)
    axis.set_xticks(range(len(labels)), labels, rotation=20, ha="right")
    axis.set_ylabel("predicted inappropriate share")
    axis.set_title(f"{name}: {members[0].prompts} prompts, 95% intervals")
    axis.legend()


def _dots(axis: Any, system: str, shares: Mapping[str, Shares]) -> None:
    for judge, share in shares.items():
        axis.scatter(share.before, share.after[system], s=9, alpha=0.5, label=judge)
    axis.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    axis.set(xlabel="share before", ylabel="share after", xlim=(0, 1), ylim=(0, 1), title=system)
    axis.legend()


def _actions(axis: Any, members: Sequence[Figures]) -> None:
    names = [item.system for item in members]
    bottom = [0.0] * len(members)
    rows = {
        "pass": [item.passed for item in members],
        "rewrite": [item.rewritten for item in members],
        "block": [item.blocked.value for item in members],
    }
    for action, values in rows.items():
        axis.bar(names, values, bottom=bottom, label=action)
        bottom = [low + value for low, value in zip(bottom, values, strict=True)]
    axis.set(ylabel="share of prompts", ylim=(0, 1), title="what was done")
    axis.tick_params(axis="x", rotation=20)
    axis.legend()
