"""Files of JSON lines that a run appends to, one row at a time, and goes on with after a kill."""

from __future__ import annotations

from pathlib import Path


def drop_cut_line(path: Path) -> None:
    """Cut off a last line without its end, which a kill in mid-write leaves. A missing file stays missing."""
    if path.is_file():
        data = path.read_bytes()
        if data and not data.endswith(b"\n"):
            path.write_bytes(data[: data.rfind(b"\n") + 1])
