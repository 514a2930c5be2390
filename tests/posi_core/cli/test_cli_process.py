"""The command as a process of its own, with the shipped models: pipes, interrupts, encodings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-c", "from posi.posi_core.cli import main; main()"]
RISKY = "an angry man strangling his neighbour in a kitchen, 1950s illustration"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "POSI_HOME": str(tmp_path / "home")}


def start(environment: dict[str, str], *arguments: str) -> subprocess.Popen[Any]:
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([*COMMAND, *arguments], env=environment, **pipes)


def children_of(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if parent == pid:
            found.append(int(folder.name))
    return found


def test_a_reader_that_leaves_early_is_no_error(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("a quiet lake\n" * 300)
    process = start(environment, "rewrite", "--file", str(file))
    assert process.stdout.readline() == b"a quiet lake\n"
    process.stdout.close()
    complaint = process.stderr.read()
    process.wait(timeout=60)
    assert b"Traceback" not in complaint
    assert b"Exception" not in complaint


def test_answers_come_while_standard_input_is_open(environment: dict[str, str]) -> None:
    process = start(environment, "rewrite", "--json", "--file", "-")
    for text in ("a quiet lake", "", "a red barn"):
        process.stdin.write(f"{text}\n".encode())
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["text"] == text
    process.stdin.close()
    assert process.wait(timeout=60) == 0


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for child processes in /proc")
def test_ctrl_c_is_quiet_and_leaves_no_process(environment: dict[str, str]) -> None:
    process = start(environment, "rewrite", "--json", "--file", "-")
    process.stdin.write(f"{RISKY}\n".encode())
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["action"] == "rewrite"
    workers = children_of(process.pid)
    assert workers
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert complaint == b""
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{worker}").exists() for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]


def test_a_terminal_without_unicode(environment: dict[str, str]) -> None:
    more = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for arguments, expected in ((["--json"], "ein See über Nacht"), ([], "ein See \\xfcber Nacht")):
        process = start({**environment, **more}, "rewrite", *arguments, "--file", "-")
        out, complaint = process.communicate("ein See über Nacht\n".encode(), timeout=60)
        assert process.returncode == 0, complaint
        assert (json.loads(out)["text"] if arguments else out.decode().strip()) == expected


def test_the_shipped_model_rewrites_the_readme_example(environment: dict[str, str]) -> None:
    process = start(environment, "rewrite", "--json", RISKY)
    out, complaint = process.communicate(timeout=120)
    verdict = json.loads(out)
    assert process.returncode == 0, (verdict["reason"], complaint)
    assert verdict["action"] == "rewrite"
    assert verdict["risk_after"]["overall"] < 0.5 < verdict["risk_before"]["overall"]
    assert verdict["similarity"] > 0.5
    assert "kitchen" in verdict["text"]
