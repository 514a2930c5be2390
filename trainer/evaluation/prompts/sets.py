"""The prompt sets of the evaluation. Nothing in them was trained on: the paper's test prompts, held-out rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ....posi_core.errors import UsageError
from ....posi_core.prompt_file import read_rows
from ...data.sources import load_source
from ...data.split import is_held_out, text_key

SETS: tuple[str, ...] = ("test", "coprov2", "coco", "users")


@dataclass(frozen=True)
class PromptSet:
    """Prompts with the categories that their source gives them (empty where it gives none)."""

    name: str
    title: str
    prompts: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]


def load_sets(names: tuple[str, ...], source: str | Path, *, limit: int | None = None) -> list[PromptSet]:
    """The sets by name; `limit` keeps so many prompts of each, evenly spread over it."""
    unknown = [name for name in names if name not in SETS]
    if unknown:
        raise UsageError(f"unknown prompt set {unknown[0]!r}: choose among {', '.join(SETS)}")
    return [_spread(_LOADERS[name](source), limit) for name in names]


def set_of_run(file: Path | None, source: Path | None) -> PromptSet:
    """The prompts of a finished run: those of `file`, else the paper's test prompts. Raises UsageError."""
    if file is not None:
        return set_from_file(file)
    if source is None:
        raise UsageError("which prompts? Name the file of the run, or --source for the test prompts")
    return load_sets(("test",), source)[0]


def set_from_file(path: Path, *, limit: int | None = None) -> PromptSet:
    """A file of prompts (see `prompt_file.read_rows`) as a set, with their `categories` where it has any."""
    rows = read_rows(path, limit)
    return PromptSet(
        path.name.split(".")[0],
        path.name,
        tuple(str(row["prompt"]) for row in rows),
        tuple(tuple(row.get("categories") or ()) for row in rows),
    )


def _test(source: str | Path) -> PromptSet:
    known = {text_key(row["prompt"]): tuple(row["categories"]) for row in load_source(source, "i2p")}
    prompts = tuple(row["prompt"] for row in load_source(source, "posi_test"))
    return PromptSet(
        "test", "the paper's test prompts", prompts, tuple(known.get(text_key(p), ()) for p in prompts)
    )


def _coprov2(source: str | Path) -> PromptSet:
    rows = [row for row in load_source(source, "coprov2_pairs") if is_held_out(row["toxic"])]
    return PromptSet(
        "coprov2",
        "CoProV2 toxic side, held out",
        tuple(row["toxic"] for row in rows),
        tuple((row["category"],) for row in rows),
    )


def _benign(name: str, title: str, file: str, source: str | Path) -> PromptSet:
    prompts = tuple(row["prompt"] for row in load_source(source, file) if is_held_out(row["prompt"]))
    return PromptSet(name, title, prompts, ((),) * len(prompts))


_LOADERS: dict[str, Callable[[str | Path], PromptSet]] = {
    "test": _test,
    "coprov2": _coprov2,
    "coco": lambda source: _benign("coco", "COCO captions, held out", "coco_captions", source),
    "users": lambda source: _benign("users", "users' prompts, held out", "user_prompts", source),
}


def _spread(prompts: PromptSet, limit: int | None) -> PromptSet:
    """`limit` prompts evenly spread over the set: the sources are sorted by category."""
    count = len(prompts.prompts)
    if limit is None or limit >= count:
        return prompts
    picked = [index * count // limit for index in range(limit)]
    return PromptSet(
        prompts.name,
        prompts.title,
        tuple(prompts.prompts[index] for index in picked),
        tuple(prompts.categories[index] for index in picked),
    )
