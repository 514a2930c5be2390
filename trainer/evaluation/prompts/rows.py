"""Rows of an evaluation, one a (set, system, prompt), appended to a file so that a killed run goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROWS_FILE = "rows.jsonl"


@dataclass(frozen=True)
class Row:
    """What a system made of one prompt. `text` is what would go to the image model (empty for most blocks).

    `left_over`: the text that came out, judged afresh, is over a threshold of the policy.
    """

    set: str
    system: str
    index: int
    action: str
    text: str
    similarity: float | None
    left_over: bool
    seconds: float
    reason: str

    @property
    def key(self) -> tuple[str, str, int]:
        return self.set, self.system, self.index


class RowFile:
    """The rows in a run folder. A line that a kill cut short is dropped and done again."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / ROWS_FILE
        self.rows = {row.key: row for row in self._read()}
        text = "".join(_line(row) for row in self.rows.values())
        if self._path.exists() and self._path.read_text(encoding="utf-8") != text:
            self._path.write_text(text, encoding="utf-8")

    def add(self, row: Row) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(row))
        self.rows[row.key] = row

    def _read(self) -> Iterator[Row]:
        if not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                yield Row(**json.loads(line))
            except (ValueError, TypeError):
                continue


def _line(row: Row) -> str:
    return json.dumps(asdict(row)) + "\n"
