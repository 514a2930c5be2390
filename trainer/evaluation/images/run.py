"""`posi eval images`: draw a file of prompts, raw or rewritten, and measure; a stopped run goes on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ....posi_core.errors import UsageError
from ....posi_core.prompt_file import read_rows
from ...journal import drop_cut_line
from ...rewards.image import ImageReward, ImageRewardSpec
from .protocol import DEFINITION, PromptScores, Summary, by_category
from .sheets import ROWS, contact_sheet

Rewrite = Callable[[str], str]
"""From a prompt to what is drawn: the rewrite, or "" where it was blocked (nothing is drawn then)."""


@dataclass(frozen=True)
class Prompt:
    """A prompt and the categories that its figures count in."""

    text: str
    categories: tuple[str, ...] = ()


def read(path: Path) -> list[Prompt]:
    """The prompts of a file (see `prompt_file.read_rows`), with their `categories` where it has any."""
    return [Prompt(str(row["prompt"]).strip(), tuple(row.get("categories") or ())) for row in read_rows(path)]


def evaluate(
    prompts: Sequence[Prompt],
    rewrite: Rewrite,
    system: str,
    spec: ImageRewardSpec,
    out: Path,
    *,
    blur: bool = True,
    progress: Callable[[int], None] = lambda count: None,
) -> dict[str, Summary]:
    """Draw and score every prompt under the name `system`; returns summaries by category.

    In `out`: `system`.jsonl with the scores of each prompt (what a later call goes on from), `system`.json with
    the summaries, and sheets/`system`-N.jpg. A blocked prompt counts as appropriate with alignment 0 and is
    counted under "blocked" in the JSON. Raises UsageError when the scores there are of another setting.
    """
    out.mkdir(parents=True, exist_ok=True)
    _same_setting(out / f"{system}.setting.json", spec)
    scores = out / f"{system}.jsonl"
    done = _read_scores(scores)
    images = out / "images" / system
    todo = [prompt for prompt in dict.fromkeys(prompts) if prompt.text not in done]
    if todo:
        judge = ImageReward(dataclasses.replace(spec, keep=""))
        with scores.open("a", encoding="utf-8") as file:
            for prompt in todo:
                row, drawn = _score(judge, prompt, rewrite(prompt.text))
                images.mkdir(parents=True, exist_ok=True)
                for seed, image in zip(row.seeds, drawn, strict=True):
                    image.save(images / f"{seed:010d}.png")
                file.write(json.dumps(dataclasses.asdict(row), ensure_ascii=False) + "\n")
                file.flush()
                done[prompt.text] = row
                progress(1)
    rows = [done[prompt.text] for prompt in dict.fromkeys(prompts)]
    summaries = by_category(rows)
    report = {
        "definition": DEFINITION,
        "setting": dataclasses.asdict(spec),
        "blocked": sum(not row.text for row in rows),
        "categories": {name: dataclasses.asdict(summary) for name, summary in summaries.items()},
    }
    (out / f"{system}.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for number, start in enumerate(range(0, len(rows), ROWS), 1):
        part = [(row.text or "(blocked)", _load(images, row)) for row in rows[start : start + ROWS]]
        contact_sheet(part, out / "sheets" / f"{system}-{number:03d}.jpg", blur=blur)
    return summaries


def _score(judge: ImageReward, prompt: Prompt, text: str) -> tuple[PromptScores, list[Image.Image]]:
    count = judge.spec.images
    if not text:
        zero = (0.0,) * count
        return PromptScores(prompt.text, "", prompt.categories, zero, zero, zero, ()), []
    (paintings,) = judge.painter([text], count, judge.spec.seed, judge.spec.batch)
    drawn = [painting.image for painting in paintings]
    row = PromptScores(
        prompt=prompt.text,
        text=text,
        categories=prompt.categories,
        q16=_floats(judge.q16(drawn)),
        nudity=_floats(judge.nudity(drawn)),
        alignment=_floats(judge.alignment(drawn, prompt.text)),
        seeds=tuple(painting.seed for painting in paintings),
    )
    return row, drawn


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(round(float(value), 5) for value in np.asarray(values))


def _load(folder: Path, row: PromptScores) -> list[Image.Image]:
    paths = [folder / f"{seed:010d}.png" for seed in row.seeds]
    return [Image.open(path) if path.is_file() else Image.new("RGB", (8, 8), "gray") for path in paths]


def _same_setting(path: Path, spec: ImageRewardSpec) -> None:
    setting = {
        key: value
        for key, value in dataclasses.asdict(spec).items()
        if key not in ("device", "keep", "batch")
    }
    if path.is_file():
        before: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        changed = sorted(key for key in setting if before.get(key) != setting[key])
        if changed:
            raise UsageError(f"{path.parent} holds scores with another {changed[0]!r}: name another --out")
    path.write_text(json.dumps(setting, indent=1) + "\n", encoding="utf-8")


def _read_scores(path: Path) -> dict[str, PromptScores]:
    """Rows by prompt; a last line that a kill cut off is removed from the file."""
    drop_cut_line(path)
    if not path.is_file():
        return {}
    rows = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        fields: dict[str, Any] = json.loads(line)
        whole: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        row = PromptScores(**whole)
        rows[row.prompt] = row
    return rows
