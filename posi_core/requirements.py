"""What the installed package asks for, and which of its extras brings a missing module."""

from __future__ import annotations

import re

DISTRIBUTION = "posi-safe-prompt"

# Modules whose distribution has another name; all others differ at most in case and punctuation.
_DISTRIBUTIONS = {
    "yaml": "pyyaml",
    "pil": "pillow",
    "sklearn": "scikit-learn",
    "open-clip": "open-clip-torch",
    "llama-cpp": "llama-cpp-python",
    "cv2": "opencv-python-headless",
}


def requirements() -> dict[str, tuple[str, ...]]:
    """Extra -> names of the distributions it asks for; "" holds the core's. Empty if POSI is not installed."""
    # Only when asked: a third of what ComfyUI would wait for as it opens the node package.
    from importlib import metadata

    found: dict[str, list[str]] = {}
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return {}
    for line in lines:
        requirement, _, marker = line.partition(";")
        name = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
        # What is asked for on some Pythons only is a backport: another Python has it built in.
        if name and "python_version" not in marker:
            found.setdefault(extra.group(1) if extra else "", []).append(_canonical(name.group()))
    return {extra: tuple(names) for extra, names in found.items()}


def extra_of(module: str) -> str | None:
    """The extra that brings `module` ("" for the core itself), or None if POSI does not ask for it."""
    name = _canonical(module.partition(".")[0])
    name = _DISTRIBUTIONS.get(name, name)
    brings = [extra for extra, names in requirements().items() if name in names]
    # The test extra repeats what others bring; it is the last one to recommend.
    return min(brings, key=lambda extra: (extra == "test", extra), default=None)


def missing_module(error: ModuleNotFoundError) -> str:
    """One line for a user: what is missing and the command that installs it."""
    module = error.name or str(error)
    extra = extra_of(module)
    if extra is None:
        return f"Python module {module!r} is missing: {error}"
    wanted = f"{DISTRIBUTION}[{extra}]" if extra else DISTRIBUTION
    checkout = f"-e '.[{extra}]'" if extra else "-e ."
    return f"{module} is not installed: pip install '{wanted}' (in a checkout: pip install {checkout})"


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
