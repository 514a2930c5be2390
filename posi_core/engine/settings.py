"""How the engine runs on this machine: threads, and whether it must avoid repacked weights."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

MOST_THREADS = 8
"""A small model's matrices are split no further: more threads wait for each other."""


@functools.cache
def default_threads() -> int:
    """Physical cores this process may use (affinity and container quota respected), at most MOST_THREADS."""
    logical = _available()
    physical = _physical_cores(logical)
    quota = _quota()
    cores = min(len(logical), physical or max(len(logical) // 2, 1), quota or MOST_THREADS)
    return max(1, min(cores, MOST_THREADS))


def _available() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))


def _physical_cores(logical: set[int]) -> int | None:
    """Cores behind the logical CPUs; None where the system does not say."""
    if sys.platform == "darwin":
        for key in ("hw.perflevel0.physicalcpu", "hw.physicalcpu"):
            with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
                done = subprocess.run(["sysctl", "-n", key], capture_output=True, text=True, timeout=5)
                return int(done.stdout)
        return None
    cores = set()
    for cpu in logical:
        topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
        with contextlib.suppress(OSError):
            package = (topology / "physical_package_id").read_text().strip()
            cores.add((package, (topology / "core_id").read_text().strip()))
    return len(cores) or None


def _quota() -> int | None:
    """Whole CPUs of a container's quota (cgroup 2), at least 1; None without one."""
    with contextlib.suppress(OSError, ValueError):
        limit, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if limit != "max":
            return max(1, int(limit) // int(period))
    return None


def needs_safe_setting() -> bool:
    """Whether a worker crashed on this machine with repacked weights and ran without them."""
    return _machine() in _remembered()


def remember_safe_setting() -> None:
    """Note that finding in the user's cache; losing the note costs one more crash at the next start."""
    from ..models.manifest import write_atomically

    machines = sorted({*_remembered(), _machine()})
    with contextlib.suppress(OSError):
        write_atomically(_store(), json.dumps({"without_repacked_weights": machines}).encode())


def _store() -> Path:
    from ..models.dirs import cache_dir

    return cache_dir() / "engine.json"


def _remembered() -> list[str]:
    try:
        machines = json.loads(_store().read_text(encoding="utf-8"))["without_repacked_weights"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [entry for entry in machines if isinstance(entry, str)] if isinstance(machines, list) else []


@functools.cache
def _machine() -> str:
    """Hash of what the finding depends on: the CPU's features and the build of llama.cpp."""
    try:
        cpu = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
        cpu = "|".join(sorted(set(re.findall(r"^(?:model name|flags|Features)\s*:.*$", cpu, re.MULTILINE))))
    except OSError:
        cpu = f"{platform.processor()} {platform.machine()}"
    try:
        version = metadata.version("llama_cpp_python")
    except metadata.PackageNotFoundError:
        version = "none"
    return hashlib.sha256(f"{cpu}|{version}".encode()).hexdigest()[:16]
