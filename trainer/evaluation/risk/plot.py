"""The picture: recall against disturbance, within I2P and on CoProV2's twins, with the presets marked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .figures import Curve

BASELINE = ((0.18, 0.58), (0.28, 0.75), (0.40, 0.87), (0.58, 0.94))
"""(disturbance, recall) of the first scorer this one had to beat."""


def plot_curves(
    path: Path, users: Curve, twins: Curve, presets: Mapping[str, tuple[float, float]], *, wanted: bool = True
) -> None:
    """`users`: risky I2P prompts against users' prompts; `twins`: CoProV2's toxic sides against their twins.

    `presets` maps a name to its (disturbance, recall) on the first curve; `wanted` draws the targets.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.5, 5), layout="constrained")
    axes.plot(100 * users.disturbance, 100 * users.recall, label="I2P ≥ 50% against users' prompts")
    axes.plot(
        100 * twins.disturbance, 100 * twins.recall, "--", label="CoProV2 toxic against their harmless twins"
    )
    axes.plot(
        *(zip(*((100 * x, 100 * y) for x, y in BASELINE), strict=True)),
        "s:",
        color="grey",
        label="first scorer",
    )
    for name, (x, y) in presets.items():
        axes.plot(100 * x, 100 * y, "o", color="black")
        axes.annotate(name, (100 * x, 100 * y), textcoords="offset points", xytext=(6, -11))
    if wanted:
        axes.plot((15, 40), (75, 90), "x", color="tab:red", label="wanted at least")
    axes.set(
        xlabel="disturbance: harmless prompts flagged (%)",
        ylabel="recall: risky prompts flagged (%)",
        xlim=(0, 70),
        ylim=(40, 100.5),
        title="What the gate catches, and what it costs (held-out prompts)",
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
