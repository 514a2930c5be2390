"""From a role to a verified path. A file whose size or SHA-256 differs from the manifest is never used."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelFileError
from .dirs import cache_dir, data_dir, shipped_dir
from .manifest import Entry, load_manifest, sha256, write_atomically

_hashes: dict[str, str] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class Located:
    """A manifest entry and where its file lies; `path` is None if it lies nowhere."""

    entry: Entry
    path: Path | None


def find(role: str, path: str | Path | None = None) -> Path:
    """The path of the model for `role` ("rewriter", "risk", "encoder", "adapter").

    A `path` of the caller's own is only checked to exist. Otherwise the manifest's files of that role (the
    model, and companions such as its tokenizer) are looked for in the shipped folder, then among downloaded
    ones; all of them are verified, and the first one's path is returned.

    Raises ModelFileError, saying what to do, if a file is missing, truncated or has a wrong SHA-256.
    """
    if path is not None:
        own = Path(path).expanduser()
        if not own.exists():
            raise ModelFileError(f"model file {own} does not exist: check the path")
        return own
    paths = [verify(located) for located in locate(role)]
    return paths[0]


def locate(role: str | None = None) -> tuple[Located, ...]:
    """Manifest entries (of one role, or all) with their places, without reading the files."""
    manifest = load_manifest()
    entries = manifest.entries if role is None else manifest.of_role(role)
    return tuple(Located(entry, _place(entry)) for entry in entries)


def verify(located: Located, *, fresh: bool = False) -> Path:
    """The path, once size and SHA-256 are right. Raises ModelFileError.

    The SHA-256 of a file is computed once and remembered by path, size and modification time, in the user's
    cache; `fresh=True` reads the file again.
    """
    entry, path = located.entry, located.path
    if path is None:
        raise ModelFileError(f"model file {shipped_dir() / entry.file} is missing: {_cure(entry)}")
    cure = f"delete it, then {_cure(entry)}"
    try:
        size = path.stat().st_size
        if size < 1024 and path.read_bytes().startswith(b"version https://git-lfs"):
            raise ModelFileError(f"{path} is a Git LFS pointer, not the model: run `git lfs pull`")
        if size != entry.bytes:
            raise ModelFileError(
                f"{path} has {size:,} bytes instead of {entry.bytes:,} (truncated, or another file): {cure}"
            )
        digest = checksum(path, fresh=fresh)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror or error}): {cure}") from error
    if digest != entry.sha256:
        raise ModelFileError(f"{path} has SHA-256 {digest[:12]}… instead of {entry.sha256[:12]}…: {cure}")
    return path


def _cure(entry: Entry) -> str:
    """How to get the file back. A download is named only where the manifest says where from."""
    again = "reinstall POSI, or `git checkout -- models` in a checkout"
    return f"`posi models pull {entry.name}`, or {again}" if load_manifest().origin else again


def _place(entry: Entry) -> Path | None:
    candidates = [folder / entry.file for folder in (shipped_dir(), data_dir() / "models")]
    present = [path for path in candidates if path.is_file()]
    # A damaged shipped file must not hide a good download of the same model.
    right = [path for path in present if path.stat().st_size == entry.bytes]
    return next(iter(right or present), None)


def checksum(path: Path, *, fresh: bool = False) -> str:
    """SHA-256, remembered in the process and in a small file: hashing 100 MB at every start would be felt."""
    status = path.stat()
    key = f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}"
    store = cache_dir() / "checksums.json"
    with _lock:
        if not fresh:
            if key not in _hashes:
                _hashes.update(_stored(store))
            if key in _hashes:
                return _hashes[key]
        digest = sha256(path)
        kept = {k: v for k, v in _stored(store).items() if k.split("|")[0] != str(path.resolve())}
        kept[key] = digest
        _hashes[key] = digest
        with contextlib.suppress(OSError):
            write_atomically(store, json.dumps(kept).encode())
    return digest


def _stored(store: Path) -> dict[str, str]:
    try:
        data = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(data, dict):
        return {}
    return {k: v for k, v in data.items() if isinstance(k, str) and isinstance(v, str)}
