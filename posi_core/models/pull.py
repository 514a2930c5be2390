"""Download a manifest's file into the user's data folder; only the very file that is pinned is kept."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from ..errors import ModelFileError, UsageError
from .dirs import data_dir
from .manifest import Entry, load_manifest, sha256

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


def pull(entry: Entry, *, origin: str = "", progress: Progress | None = None) -> Path:
    """Download `entry` and return its path below `data_dir()/models`.

    `origin` is a folder on the web (`https://…/`), on disk (`file:///…/`), or `hf:OWNER/NAME[@REVISION]` on
    the Hugging Face Hub (through huggingface_hub where it is installed); default: the manifest's own. Raises
    UsageError if there is no usable origin, ModelFileError if the download fails or has another SHA-256; a
    file that was there before is then left as it was.
    """
    origin = origin or load_manifest().origin
    if not origin:
        raise UsageError(
            f"the manifest names no download for {entry.name}, since it comes with POSI: reinstall, "
            "`git checkout -- models`, or name a copy with --from https://…/ or --from hf:OWNER/NAME"
        )
    target = data_dir() / "models" / entry.file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            _fetch(entry, origin, temporary, progress)
            _check(entry, origin, temporary)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{entry.name} could not be downloaded from {origin}: {error}") from error
    return target


def _fetch(entry: Entry, origin: str, temporary: Path, progress: Progress | None) -> None:
    if origin.startswith(("https://", "http://", "file://")):
        _download(f"{origin.rstrip('/')}/{quote(entry.file)}", entry.bytes, temporary, progress)
        return
    if not origin.startswith("hf:"):
        raise UsageError(f"{origin!r} is no origin: use https://…/, file:///…/ or hf:OWNER/NAME[@REVISION]")
    repository, _, revision = origin.removeprefix("hf:").partition("@")
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        url = f"https://huggingface.co/{repository}/resolve/{revision or 'main'}/{quote(entry.file)}"
        _download(url, entry.bytes, temporary, progress)
    else:
        shutil.copyfile(hf_hub_download(repository, entry.file, revision=revision or None), temporary)


def _download(url: str, total: int, temporary: Path, progress: Progress | None) -> None:
    import urllib.request

    done = 0
    with urllib.request.urlopen(url, timeout=60) as response, temporary.open("wb") as stream:
        # A server that sends more than was pinned is cut off: its file is refused in any case.
        while done <= total and (piece := response.read(1 << 18)):
            stream.write(piece)
            done += len(piece)
            if progress is not None:
                progress(min(done, total), total)


def _check(entry: Entry, origin: str, path: Path) -> None:
    size = path.stat().st_size
    if size != entry.bytes:
        raise ModelFileError(
            f"{entry.name} from {origin} is not the pinned file ({size:,} bytes, not {entry.bytes:,}): "
            "nothing was kept, try again or another origin"
        )
    digest = sha256(path)
    if digest != entry.sha256:
        raise ModelFileError(
            f"{entry.name} from {origin} is not the pinned file (SHA-256 {digest[:12]}…, not "
            f"{entry.sha256[:12]}…): nothing was kept, try another origin"
        )
