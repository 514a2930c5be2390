"""Run by AUTOMATIC1111 and Forge at each start, in a process of its own: installs what POSI needs and is missing.

It changes no package of the host (everything installed is pinned while pip works), takes prebuilt wheels where there
are any, and never fails the start: what could not be installed is named, and POSI then blocks prompts with that
reason instead of letting them through.
"""

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
MODULES = {"llama-cpp-python": "llama_cpp", "tomli": "tomllib" if sys.version_info >= (3, 11) else "tomli"}
"""Distributions whose module has another name."""

LLAMA_WHEELS = "https://abetlen.github.io/llama-cpp-python/whl/cpu"
"""Prebuilt llama.cpp for machines without a compiler (the package's own index)."""


def wanted() -> list[str]:
    """The core's requirements as pyproject.toml lists them, without optional extras."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    return re.findall(r'^\s*"([^";]+)', block.group(1) if block else "", re.MULTILINE)


def name_of(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]


def missing() -> list[str]:
    """Requirements of which no version is installed. Another version than the one asked for is the host's choice."""
    found = []
    for requirement in wanted():
        name = name_of(requirement)
        module = MODULES.get(name, name.replace("-", "_"))
        if importlib.util.find_spec(module) is None:
            found.append(requirement)
    return found


def pins() -> list[str]:
    """`name==version` of everything installed, so that pip may add packages but change none."""
    lines = set()
    for distribution in importlib.metadata.distributions():
        name, version = distribution.metadata["Name"], distribution.version
        if name and version and re.fullmatch(r"[A-Za-z0-9._-]+", name):
            lines.add(f"{name}=={version.split('+')[0]}")
    return sorted(lines)


def install(requirement: str, constraints: str) -> bool:
    """True if pip could add the requirement: first from wheels alone, then building what has none."""
    name = name_of(requirement)
    extra = ["--extra-index-url", LLAMA_WHEELS] if name == "llama-cpp-python" else []
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--retries",
        "1",
        "-q",
        "-c",
        constraints,
        *extra,
    ]
    for how in (["--only-binary", ":all:"], ["--prefer-binary"]):
        if subprocess.run([*command, *how, requirement], check=False).returncode == 0:
            return True
    return False


def main() -> None:
    absent = missing()
    if not absent:
        return
    print(f"POSI: installing {', '.join(absent)}")
    handle, constraints = tempfile.mkstemp(prefix="posi-", suffix=".txt", text=True)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write("\n".join(pins()) + "\n")
    try:
        failed = [requirement for requirement in absent if not install(requirement, constraints)]
    finally:
        os.unlink(constraints)
    if failed:
        print(
            f"POSI: could not install {', '.join(failed)} without changing the host's packages. Until it is there, "
            f'risky prompts are blocked. By hand: "{sys.executable}" -m pip install {" ".join(failed)}'
        )


if __name__ == "__main__":
    # The host does not run this file with --skip-install; others may.
    if "--skip-install" not in os.environ.get("COMMANDLINE_ARGS", ""):
        try:
            main()
        except Exception as error:  # the host must start in any case
            print(f"POSI: installing failed: {type(error).__name__}: {error}")
