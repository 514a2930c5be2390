"""What to type when a package that the models need is not installed."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys

from ..posi_core.verdict import Verdict

WHEELS = "https://abetlen.github.io/llama-cpp-python/whl/cpu"
"""llama-cpp-python's own index of prebuilt CPU wheels (PyPI has its source only)."""

_PACKAGES = {
    "llama_cpp": f"llama-cpp-python --prefer-binary --extra-index-url {WHEELS}",
    "confusable_homoglyphs": "confusable-homoglyphs",
    "onnxruntime": "onnxruntime",
    "tokenizers": "tokenizers",
}


def command(*packages: str) -> str | None:
    """The command that installs what is missing into the Python that runs ComfyUI; None: nothing is missing.

    `packages`: import names to look at, all that the models need if left out.
    """
    missing = [name for name in packages or _PACKAGES if _absent(name)]
    if not missing:
        return None
    wanted = " ".join(_PACKAGES[name] for name in missing)
    return f'"{sys.executable}" -m pip install {wanted}'


def _absent(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is None
    except (ImportError, ValueError):  # a finder that refuses, a module without a spec
        return True


def hint(verdict: Verdict) -> Verdict:
    """Adds the command to the reason of a verdict that a fault blocked, while a package is missing."""
    if not verdict.failed:
        return verdict
    line = command()
    if line is None or line in verdict.reason:
        return verdict
    return dataclasses.replace(
        verdict, reason=f"{verdict.reason} A package is missing: stop ComfyUI and run {line}".strip()
    )
