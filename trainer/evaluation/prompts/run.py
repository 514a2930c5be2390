"""Run every system over every set, judge what came out, write rows, figures and picture."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ....posi_core.safe_prompt import SafePrompter
from ...run_folder import write_run
from .bootstrap import Estimate, mean
from .figures import Figures, figures
from .plot import plot_report
from .rows import Row, RowFile
from .sets import PromptSet
from .systems import Prompters, System

Judge = Callable[[Sequence[str]], Sequence[float]]
"""Texts -> predicted inappropriate share of each, in [0, 1]."""
Progress = Callable[[str, int, int], None]
"""(what is running, done, of how many)."""


@dataclass(frozen=True)
class PromptsConfig:
    """What makes two runs the same run; a folder that holds another run is refused."""

    sets: tuple[str, ...]
    limit: int | None
    systems: tuple[str, ...]
    identities: tuple[str, ...]


@dataclass(frozen=True)
class Shares:
    """Predicted inappropriate share of each prompt of one set by one judge; `after` by system."""

    before: tuple[float, ...]
    after: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Report:
    """All figures, the shares behind them (`shares[set][judge]`), and the shares before as estimates."""

    figures: tuple[Figures, ...]
    shares: Mapping[str, Mapping[str, Shares]]
    before: Mapping[str, Mapping[str, Estimate]]


def evaluate_prompts(
    sets: Sequence[PromptSet],
    systems: Sequence[System],
    judges: Mapping[str, Judge],
    prompters: Prompters,
    folder: Path,
    *,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Evaluate and write rows.jsonl, figures.json and prompts.png into `folder`; resumes what is there."""
    file = RowFile(folder)
    write_run(folder, _config(sets, systems, prompters, limit))
    for system in systems:
        prompter = prompters.of(system)
        for prompts in sets:
            _run(system, prompter, prompts, file, progress)
    shares = {prompts.name: _shares(prompts, systems, judges, file) for prompts in sets}
    report = Report(
        figures=tuple(
            figures(
                _rows(prompts, system, file),
                prompts.prompts,
                prompts.categories,
                {judge: share.before for judge, share in shares[prompts.name].items()},
                {judge: share.after[system.name] for judge, share in shares[prompts.name].items()},
            )
            for prompts in sets
            for system in systems
        ),
        shares=shares,
        before={
            name: {judge: mean(share.before) for judge, share in by_judge.items()}
            for name, by_judge in shares.items()
        },
    )
    (folder / "figures.json").write_text(to_json(report) + "\n", encoding="utf-8")
    plot_report(report.figures, report.before, shares, folder / "prompts.png")
    return report


def to_json(report: Report) -> str:
    """The figures as one JSON object: {"figures": [...], "before": {set: {judge: estimate}}}."""
    data = {
        "figures": [asdict(item) for item in report.figures],
        "before": {
            name: {judge: asdict(value) for judge, value in by_judge.items()}
            for name, by_judge in report.before.items()
        },
    }
    return json.dumps(data, indent=1)


def _run(
    system: System, prompter: SafePrompter, prompts: PromptSet, file: RowFile, progress: Progress | None
) -> None:
    label = f"{system.name} on {prompts.name}"
    for index, prompt in enumerate(prompts.prompts):
        if (prompts.name, system.name, index) not in file.rows:
            file.add(_row(system, prompter, prompts.name, index, prompt))
        if progress is not None:
            progress(label, index + 1, len(prompts.prompts))


def _row(system: System, prompter: SafePrompter, name: str, index: int, prompt: str) -> Row:
    started = time.perf_counter()
    verdict = prompter.rewrite(prompt, bare=system.bare)
    seconds = time.perf_counter() - started
    similarity = verdict.similarity
    if system.bare and not verdict.blocked:
        similarity = prompter.parts.encoder().similarity(prompt, [verdict.text])[0]
    left_over = not verdict.blocked and prompter.judge(verdict.text).flagged
    return Row(
        set=name,
        system=system.name,
        index=index,
        action=verdict.action,
        text=verdict.text,
        similarity=similarity,
        left_over=left_over,
        seconds=round(seconds, 4),
        reason=verdict.reason,
    )


def _rows(prompts: PromptSet, system: System, file: RowFile) -> list[Row]:
    return [file.rows[prompts.name, system.name, index] for index in range(len(prompts.prompts))]


def _shares(
    prompts: PromptSet, systems: Sequence[System], judges: Mapping[str, Judge], file: RowFile
) -> dict[str, Shares]:
    """A prompt that passed keeps its share; a blocked one makes no image and counts as 0."""
    found = {}
    for name, judge in judges.items():
        before = tuple(float(value) for value in judge(prompts.prompts))
        after = {}
        for system in systems:
            rows = _rows(prompts, system, file)
            rewritten = [row for row in rows if row.action == "rewrite"]
            scores = iter(judge([row.text for row in rewritten]) if rewritten else ())
            after[system.name] = tuple(
                float(next(scores))
                if row.action == "rewrite"
                else before[row.index]
                if row.action == "pass"
                else 0.0
                for row in rows
            )
        found[name] = Shares(before, after)
    return found


def _config(
    sets: Sequence[PromptSet], systems: Sequence[System], prompters: Prompters, limit: int | None
) -> PromptsConfig:
    identities = [prompters.parts.scorer().identity]
    for system in systems:
        prompter = prompters.of(system)
        identities.append(f"{system.name}: {prompter.parts.rewriter().identity}, {prompter.policy.identity}")
    return PromptsConfig(
        tuple(prompts.name for prompts in sets),
        limit,
        tuple(system.name for system in systems),
        tuple(identities),
    )
