"""A GGUF skeleton for a base from the hub, by llama.cpp's own converter."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from ...posi_core.errors import ModelFileError
from ..merge import Merged

_SCRIPT = "convert_hf_to_gguf.py"


def convert(merged: Merged, folder: Path, script: Path | None = None) -> Path:
    """Save the merged model into `folder` and convert it to a float32 GGUF there; returns its path.

    `script` is llama.cpp's convert_hf_to_gguf.py; without it, the one on PATH is used.
    Raises ModelFileError when there is none or it fails.
    """
    found = script or shutil.which(_SCRIPT)
    if not found or not Path(found).is_file():
        raise ModelFileError(
            f"a base that is no GGUF needs llama.cpp's {_SCRIPT}: name it with --converter, or use a GGUF base"
        )
    source, out = folder / "merged", folder / "converted.gguf"
    merged.model.save_pretrained(source)
    merged.tokenizer.save_pretrained(source)
    command = [sys.executable, str(found), str(source), "--outfile", str(out), "--outtype", "f32"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not out.is_file():
        said = (done.stderr.strip() or "nothing said").splitlines()[-1]
        raise ModelFileError(f"{found} failed: {said}")
    return out
