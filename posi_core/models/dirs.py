"""Where files live: shipped weights, the user's data and the user's cache."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def shipped_dir() -> Path:
    """The `models` folder beside `posi_core`: in a checkout, a custom node folder and a wheel alike."""
    return Path(__file__).resolve().parents[2] / "models"


def cache_dir() -> Path:
    """Folder for what can be lost (results, checksums): `$POSI_HOME/cache` or the system's place."""
    return _user_dir("cache")


def data_dir() -> Path:
    """Folder for what is kept (downloaded models): `$POSI_HOME/data` or the system's place."""
    return _user_dir("data")


def _user_dir(kind: str) -> Path:
    home = os.environ.get("POSI_HOME")
    if home:
        folder = Path(home).expanduser() / kind
    else:
        import platformdirs

        find = platformdirs.user_cache_path if kind == "cache" else platformdirs.user_data_path
        folder = find("posi", appauthor=False)
    # A home that cannot be written to must not stop anybody from reading shipped models;
    # whoever writes there gets the error.
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return folder
