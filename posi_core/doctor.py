"""What is installed, what works, and what to do about each thing that does not: the data behind `posi doctor`."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Literal

from .errors import PosiError
from .requirements import DISTRIBUTION, requirements

Status = Literal["ok", "note", "problem"]

CPU_FEATURES = (
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_int8",
    "asimddp",
)
SAMPLE = "an angry man strangling his neighbour in a kitchen, 1950s illustration"


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `advice` is a command or a sentence, empty when nothing is to be done."""

    section: str
    name: str
    status: Status
    detail: str
    advice: str = ""


def examine(*, run: bool = True) -> Iterator[Finding]:
    """Look at everything, in order; never raises. With `run=False` no model is loaded and no prompt rewritten."""
    checks: list[Callable[[], Iterator[Finding]]] = [_python, _packages, _cpu, _llama, _folders, _models]
    for check in [*checks, *([_rewrite] if run else [])]:
        try:
            yield from check()
        except Exception as error:
            name = check.__name__.strip("_")
            yield Finding(name, name, "problem", f"could not be examined: {error!r}", "please report this")


def _python() -> Iterator[Finding]:
    section, version = "system", platform.python_version()
    good = sys.version_info >= (3, 10)
    advice = "" if good else "use Python 3.10 or newer"
    yield Finding(section, "Python", "ok" if good else "problem", f"{version}, {sys.executable}", advice)
    yield Finding(section, "platform", "ok", platform.platform(terse=True))
    root = Path(__file__).resolve().parents[1]
    try:
        installed = metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        yield Finding(section, "POSI", "note", f"not installed by pip, used from {root}")
    else:
        yield Finding(section, "POSI", "ok", f"{installed}, {root}")
    for parent, host in (("custom_nodes", "ComfyUI"), ("extensions", "AUTOMATIC1111/Forge")):
        if root.parent.name == parent:
            yield Finding(section, "host", "ok", f"lies in the {parent} of {host}: {root.parents[1]}")
    for name in sorted(key for key in os.environ if key.startswith("POSI_")):
        value = "(set)" if "KEY" in name or "TOKEN" in name else os.environ[name]
        yield Finding(section, name, "note", value)


def _packages() -> Iterator[Finding]:
    for extra, names in requirements().items():
        if not extra:
            for name in names:
                version = _version(name)
                if version is None:
                    yield Finding("packages", name, "problem", "not installed", f"pip install {name}")
                else:
                    yield Finding("packages", name, "ok", version)
        elif extra != "test":
            missing = [name for name in names if _version(name) is None]
            detail = f"without {', '.join(missing)}" if missing else "complete"
            advice = f"pip install '{DISTRIBUTION}[{extra}]' if you want it" if missing else ""
            yield Finding("packages", f"extra [{extra}]", "note" if missing else "ok", detail, advice)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    model, flags = _cpuinfo()
    yield Finding("system", "CPU", "ok", f"{model}, {cores} usable cores")
    if flags:
        present = [name for name in CPU_FEATURES if name in flags]
        slow = not {"avx2", "asimddp"} & flags
        advice = (
            "expect slow rewriting: llama.cpp has no fast path without AVX2 or ARM dot products"
            if slow
            else ""
        )
        yield Finding("system", "CPU features", "note" if slow else "ok", " ".join(present) or "none", advice)
    memory = _available_memory()
    if memory is not None:
        tight = memory < 500e6
        advice = "close other programs: the rewriter needs about 300 MB" if tight else ""
        yield Finding("system", "free memory", "problem" if tight else "ok", f"{memory / 1e9:.1f} GB", advice)


def _cpuinfo() -> tuple[str, set[str]]:
    name, flags = platform.processor() or platform.machine(), set[str]()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return name, flags
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            name = value.strip()
        elif key.strip() in ("flags", "Features"):
            flags = set(value.split())
            break
    return name, flags


def _available_memory() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _llama() -> Iterator[Finding]:
    if util.find_spec("llama_cpp") is None:
        return
    # In a process of its own: a build for another CPU dies of an illegal instruction, and takes its process along.
    probe = (
        "import llama_cpp as l; print(l.llama_supports_gpu_offload()); "
        "print(l.llama_print_system_info().decode())"
    )
    start = time.perf_counter()
    try:
        answer = subprocess.run(
            [sys.executable, "-c", probe],
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        advice = "reinstall it: pip install --force-reinstall --no-cache-dir llama-cpp-python"
        yield Finding("engine", "llama.cpp", "problem", "does not load within two minutes", advice)
        return
    if answer.returncode != 0:
        last = (answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"])[-1]
        advice = "build it for this machine: pip install --force-reinstall --no-cache-dir llama-cpp-python"
        yield Finding("engine", "llama.cpp", "problem", f"does not load: {last}", advice)
        return
    gpu, info = answer.stdout.strip().split("\n", 1)
    seconds = time.perf_counter() - start
    yield Finding("engine", "llama.cpp", "ok", f"loads in {seconds:.1f} s; {' '.join(info.split())}")
    where = "offloads to the GPU" if gpu == "True" else "computes on the CPU"
    yield Finding("engine", "device", "ok", where)


def _folders() -> Iterator[Finding]:
    from .models import cache_dir, data_dir

    for name, folder in (("cache", cache_dir()), ("data", data_dir())):
        if not os.access(folder, os.W_OK):
            advice = f"make {folder} writable, or set POSI_HOME to a folder that is"
            yield Finding("files", name, "problem", f"{folder} cannot be written", advice)
            continue
        free = shutil.disk_usage(folder).free
        full = free < 100e6
        yield Finding(
            "files",
            name,
            "problem" if full else "ok",
            f"{folder}, {free / 1e9:.1f} GB free",
            "free some disk space" if full else "",
        )


def _models() -> Iterator[Finding]:
    from .models import locate, verify

    try:
        found = locate()
    except PosiError as error:
        yield Finding("files", "manifest", "problem", str(error))
        return
    for role in sorted({"rewriter", "risk", "encoder"} - {item.entry.role for item in found}):
        detail = "the manifest names none"
        yield Finding(
            "files", f"{role} model", "problem", detail, "reinstall POSI, or `git checkout -- models`"
        )
    for item in found:
        name = f"{item.entry.role} model" if item.entry.file.endswith((".gguf", ".onnx")) else item.entry.name
        try:
            path = verify(item, fresh=True)
        except PosiError as error:
            detail, _, advice = str(error).partition(": ")
            yield Finding("files", name, "problem", detail, advice)
        else:
            yield Finding("files", name, "ok", f"{path.name}, {item.entry.bytes / 1e6:.1f} MB, SHA-256 right")


def _rewrite() -> Iterator[Finding]:
    from .safe_prompt import SafePrompter

    start = time.perf_counter()
    with SafePrompter(cache=False) as prompter:
        first = prompter.rewrite(SAMPLE)
        loading = time.perf_counter() - start
        verdict = prompter.rewrite(SAMPLE)
        engine = prompter.parts.started()
        worker = engine.health() if engine is not None else None
    if verdict.action != "rewrite":
        detail = f"{first.action} instead of a rewrite: {verdict.reason}"
        advice = "see the problems above; if there are none, please report this"
        yield Finding("engine", "rewrites a prompt", "problem", detail, advice)
        return
    detail = f"first in {loading:.1f} s with loading, then {verdict.seconds:.2f} s"
    yield Finding("engine", "rewrites a prompt", "ok", detail)
    if worker is not None:
        facts = [f"{worker.threads} threads", f"{worker.gpu_layers or 0} layers on the GPU"]
        if worker.peak_memory:
            facts.append(f"{worker.peak_memory / 1e6:.0f} MB at most")
        if worker.safe_setting:
            facts.append("without repacked weights, which crashed on this CPU")
        yield Finding("engine", "worker", "ok", f"{worker.identity}: {', '.join(facts)}")
