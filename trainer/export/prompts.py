"""Prompt files: plain text with one prompt a line, or JSON lines (also gzip) with `prompt` or `toxic`."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from ...posi_core.errors import UsageError


def read_prompts(path: Path, limit: int) -> list[str]:
    """The first `limit` prompts of a file. Raises UsageError when it holds none or cannot be read."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = [line for line in raw.decode("utf-8").splitlines() if line.strip()][:limit]
        if ".jsonl" in path.name:
            rows = [json.loads(line) for line in lines]
            lines = [row["prompt"] if "prompt" in row else row["toxic"] for row in rows]
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise UsageError(f"cannot read prompts from {path}: {error!r}") from None
    if not lines:
        raise UsageError(f"{path} holds no prompts")
    return lines
