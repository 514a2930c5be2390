"""A run folder's record: metrics as JSON lines and TensorBoard events, curves as PNG, samples to read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ..rewards.protocol import RewardBatch


class RunLog:
    """Writes metrics.jsonl, validation.jsonl, samples/ and TensorBoard events of a run.

    Lines after step `done` are dropped when it opens: they belong to steps that a resumed run does again.
    """

    def __init__(self, folder: Path, done: int, *, enabled: bool = True) -> None:
        self.folder = folder
        self.enabled = enabled
        self._board: Any = None
        if not enabled:
            return
        (folder / "samples").mkdir(parents=True, exist_ok=True)
        for name, keep in (("metrics.jsonl", done), ("validation.jsonl", done if done else -1)):
            rows = [row for row in read(folder / name) if row["step"] <= keep]
            (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        from torch.utils.tensorboard import SummaryWriter

        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)

    def write(self, step: int, statistics: dict[str, float]) -> None:
        self._append("metrics.jsonl", {"step": step, **statistics}, "train")

    def validation(
        self,
        step: int,
        means: dict[str, float],
        originals: Sequence[str],
        texts: Sequence[str],
        judged: RewardBatch,
    ) -> None:
        """Means of a greedy validation, and every pair of it in samples/step-N.jsonl."""
        self._append("validation.jsonl", {"step": step, **means}, "validation")
        lines = [
            json.dumps(
                {
                    "original": original,
                    "rewrite": text,
                    "score": round(float(judged.scores[i]), 4),
                    **{name: round(float(part[i]), 4) for name, part in judged.parts.items()},
                },
                ensure_ascii=False,
            )
            for i, (original, text) in enumerate(zip(originals, texts, strict=True))
        ]
        path = self.folder / "samples" / f"step-{step:06d}.jsonl"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _append(self, name: str, row: dict[str, float], tag: str) -> None:
        if not self.enabled:
            return
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        for key, value in row.items():
            if key != "step":
                self._board.add_scalar(f"{tag}/{key}", value, int(row["step"]))

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._board is not None:
            self._board.close()


def read(path: Path) -> list[dict[str, float]]:
    """Rows of a JSON lines file; a last line cut off by a kill is left out."""
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def plot(folder: Path) -> Path:
    """Draw reward, its parts, KL and losses of a run into `folder`/curves.png."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows, checks = read(folder / "metrics.jsonl"), read(folder / "validation.jsonl")
    panels = [
        ("score", ["score"]),
        ("risk and similarity", ["reward/risk", "reward/similarity"]),
        ("KL to the reference (nats a sequence)", ["kl"]),
        ("policy and value loss", ["policy_loss", "value_loss"]),
        ("entropy (nats a token)", ["entropy"]),
        ("clip fraction", ["clip_fraction"]),
    ]
    figure, axes = pyplot.subplots(2, 3, figsize=(15, 8))
    for axis, (title, names) in zip(axes.flat, panels, strict=True):
        for name in names:
            points = [(row["step"], row[name]) for row in rows if name in row]
            if points:
                axis.plot(*zip(*points, strict=True), label=f"{name} (sampled)", alpha=0.7)
            points = [(row["step"], row[name]) for row in checks if name in row]
            if points:
                axis.plot(*zip(*points, strict=True), "o-", label=f"{name} (validation, greedy)")
        axis.set_title(title)
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend(fontsize=8)
    figure.tight_layout()
    path = folder / "curves.png"
    figure.savefig(path, dpi=90)
    pyplot.close(figure)
    return path
