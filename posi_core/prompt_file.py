"""Files of prompts, as every command that takes one reads them: text, or JSON lines, gzipped or not."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from .errors import UsageError


def read_rows(path: Path, limit: int | None = None) -> list[dict[str, Any]]:
    """The first `limit` rows (all by default), each with a "prompt"; blank lines are skipped.

    JSON lines (.jsonl, .jsonl.gz) keep their other columns, and a row of a training pair has its "toxic" side as the
    prompt. Any other file is UTF-8 text, one prompt a line. Raises UsageError when the file cannot be read, has a row
    without a prompt, or holds none.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = data.decode("utf-8").splitlines()
    except (OSError, EOFError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    # By the name, not by a first "{": dynamic prompts begin with one too.
    as_json = ".jsonl" in path.suffixes
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        if limit is not None and len(rows) >= limit:
            break
        if line.strip():
            rows.append(_row(line, f"{path}, line {number}") if as_json else {"prompt": line})
    if not rows:
        raise UsageError(f"{path} has no prompts: write one a line")
    return rows


def read_prompts(path: Path, limit: int | None = None) -> list[str]:
    """The prompts of `read_rows`, without spaces around them."""
    return [str(row["prompt"]).strip() for row in read_rows(path, limit)]


def _row(line: str, place: str) -> dict[str, Any]:
    try:
        row = dict(json.loads(line))
        return row if "prompt" in row else {**row, "prompt": row["toxic"]}
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f'{place} is not JSON with a "prompt" or "toxic" ({error!r})') from None
