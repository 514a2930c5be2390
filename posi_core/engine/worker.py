"""The worker's first file: `python worker.py`, JSON lines in on standard input and out on standard output.

The package is found from this file's place, under a name of its own: the folder that holds it may be called
anything (a custom node folder, for example), and none of the rest of it is imported here.
"""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

PACKAGE = "posi_engine_worker"


def _open_package() -> None:
    """Make this folder importable as PACKAGE, and no longer as a source of top-level modules."""
    folder = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != folder]
    package = types.ModuleType(PACKAGE)
    package.__path__ = [str(folder)]
    sys.modules[PACKAGE] = package


def _claim_output() -> int:
    """The descriptor for answers. What else is written to standard output goes to standard error."""
    answers = os.dup(1)
    os.dup2(2, 1)
    return answers


if __name__ == "__main__":
    output = _claim_output()
    _open_package()
    from posi_engine_worker.serving import serve  # type: ignore[import-not-found]

    serve(output)
