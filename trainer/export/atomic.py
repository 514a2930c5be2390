"""Files that are whole or not there: written beside their place, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...posi_core.errors import ModelFileError

_PART = ".part"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; when the body ends it takes the place of `path`.

    On an error (a full disk among them) the old file stays as it was and the part is removed. What a killed
    export left behind is removed when the next one for the same path begins. OSError becomes ModelFileError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f".{path.name}{_PART}"
    _remove(part)
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(part, path)
    except OSError as error:
        raise ModelFileError(
            f"could not write {path} ({error.strerror or error}): the old file is intact"
        ) from error
    finally:
        _remove(part)


@contextmanager
def scratch_folder(beside: Path) -> Iterator[Path]:
    """A folder for intermediate files next to `beside`, gone afterwards; a killed export's is removed first."""
    folder = beside.parent / f".{beside.name}.work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
