"""The record that every run folder begins with: what was run, with which versions, from which commit."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..posi_core.errors import UsageError

RUN_FILE = "run.json"
_PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "onnx",
    "onnxruntime",
    "posi-safe-prompt",
)


def write_run(folder: Path, config: Any, **facts: Any) -> None:
    """Write `folder`/run.json: the config (a dataclass), package versions, the commit, and `facts`.

    A folder that holds a run of another config is refused with UsageError, so that resuming never mixes two runs.
    """
    path = folder / RUN_FILE
    settings = json.loads(json.dumps(dataclasses.asdict(config)))
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8")).get("config", {})
        changed = sorted(key for key in {*before, *settings} if before.get(key) != settings.get(key))
        if changed:
            raise UsageError(f"{folder} holds a run with another {changed[0]!r}: name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    run = {"config": settings, "commit": git_commit(), "versions": versions(), **facts}
    path.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")


def last_values(history: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The last number that a transformers trainer's log has for each key."""
    found: dict[str, float] = {}
    for entry in history:
        found.update({key: float(value) for key, value in entry.items() if isinstance(value, int | float)})
    return found


def versions() -> dict[str, str]:
    """Versions of the packages that training depends on."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def git_commit() -> str:
    """The commit of the checkout this file is in, with `+` when its code has changes; empty outside a checkout."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        commit = git("rev-parse", "HEAD")
        return (
            commit + "+" if commit and git("status", "--porcelain", "--untracked-files=no", ".") else commit
        )
    except OSError:
        return ""
