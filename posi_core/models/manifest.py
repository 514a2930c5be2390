"""`manifest.json`: which files belong to which role, with size, SHA-256, licence and source."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import ModelFileError
from .dirs import shipped_dir

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Entry:
    """One pinned file. `file` is a path below the models folder, with forward slashes; `bytes` its size."""

    name: str
    file: str
    role: str
    bytes: int
    sha256: str
    license: str
    source: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else the manifest says of the file (training commit, figures); not interpreted here."""


@dataclass(frozen=True)
class Manifest:
    """All entries in order. `origin` is where `posi models pull` downloads from unless told otherwise."""

    folder: Path
    entries: tuple[Entry, ...]
    origin: str = ""

    def of_role(self, role: str) -> tuple[Entry, ...]:
        """The files of one role, the model itself first. Raises ModelFileError if there is none."""
        found = tuple(entry for entry in self.entries if entry.role == role)
        if not found:
            roles = ", ".join(sorted({entry.role for entry in self.entries})) or "none"
            raise ModelFileError(
                f"no model with role {role!r} in {self.folder / MANIFEST} (roles there: {roles}): "
                "reinstall POSI, or name a file yourself"
            )
        return found


def load_manifest(folder: Path | None = None) -> Manifest:
    """Read `manifest.json` of `folder` (default: the shipped one). ModelFileError if it is unusable."""
    folder = folder or shipped_dir()
    path = folder / MANIFEST
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFileError(
            f"{path} is missing: reinstall POSI, or `git checkout -- models` in a checkout"
        ) from None
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path} cannot be read ({error}): reinstall POSI") from error
    try:
        entries = tuple(_entry(item) for item in data["models"])
        return Manifest(folder, entries, str(data.get("origin", "")))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(f"{path} has a wrong entry ({error!r}): reinstall POSI") from error


def update_manifest(
    role: str,
    file: str | Path,
    *,
    license: str,
    source: str,
    name: str | None = None,
    folder: Path | None = None,
    **extra: Any,
) -> Entry:
    """Pin `file` (a path below `folder`) under `role`: size and SHA-256 are taken from the disk.

    An entry for the same file is replaced where it stands, otherwise the entry is added at the end. Entries
    whose file is gone are dropped. `name` defaults to the file's name without its ending. Raises
    ModelFileError if the file is missing or lies outside `folder`.
    """
    folder = (folder or shipped_dir()).resolve()
    path = (folder / file).resolve()
    if not path.is_file() or not path.is_relative_to(folder):
        raise ModelFileError(f"{path} is no file below {folder}: put the model there first")
    entry = Entry(
        name=name or path.stem,
        file=path.relative_to(folder).as_posix(),
        role=role,
        bytes=path.stat().st_size,
        sha256=sha256(path),
        license=license,
        source=source,
        extra=extra,
    )
    old = load_manifest(folder) if (folder / MANIFEST).exists() else Manifest(folder, ())
    kept = [entry if item.file == entry.file else item for item in old.entries]
    if entry not in kept:
        kept.append(entry)
    data: dict[str, Any] = {"origin": old.origin} if old.origin else {}
    data["models"] = [_plain(item) for item in kept if (folder / item.file).is_file()]
    write_atomically(folder / MANIFEST, (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode())
    return entry


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` beside `path`, then rename: on a full disk or a kill the old file stays whole. OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        # mkstemp makes the file private; a manifest or model is for whoever may read the folder.
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _entry(item: Mapping[str, Any]) -> Entry:
    known = [field.name for field in dataclasses.fields(Entry) if field.name != "extra"]
    entry = Entry(
        **{key: item[key] for key in known}, extra={k: v for k, v in item.items() if k not in known}
    )
    parts = PurePosixPath(entry.file).parts
    if not parts or ".." in parts or "\\" in entry.file or PurePosixPath(entry.file).is_absolute():
        raise ValueError(f"file {entry.file!r} leaves the models folder")
    if not isinstance(entry.bytes, int) or len(entry.sha256) != 64:
        raise ValueError(f"{entry.file}: bytes or sha256")
    return entry


def _plain(entry: Entry) -> dict[str, Any]:
    data = dataclasses.asdict(entry)
    data.update(data.pop("extra"))
    return data
