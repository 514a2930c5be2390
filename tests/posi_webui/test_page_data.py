"""Parts of the page that need no browser: files of a batch, policies by name, the command."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from posi.posi_core.errors import PolicyError, UsageError
from posi.posi_webui import page, policies, standalone
from posi.posi_webui.page import batch


@pytest.mark.parametrize(
    ("name", "text", "prompts"),
    [
        ("a.txt", "one\r\ntwo\n", ["one", "two"]),
        ("a.csv", 'Prompt,n\n"one, two",1\n', ["one, two"]),
        ("a.jsonl", '{"prompt": "one"}\n\n"two"\n', ["one", "two"]),
    ],
)
def test_formats(tmp_path: Path, name: str, text: str, prompts: list[str]) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert batch.read("ignored", str(path)) == prompts
    assert batch.read("ignored", SimpleNamespace(name=str(path))) == prompts  # gradio 3


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.csv", b"text\nx\n", "no column"),
        ("a.jsonl", b"{\n", "Line 1"),
        ("a.jsonl", b'{"text": 1}\n', "Line 1"),
        ("a.txt", b"\xff\xfe\x00", "UTF-8"),
        ("a.txt", b"\n \n", "no prompt"),
        ("a.txt", b"x" * 20_001, "Prompt 1"),
    ],
)
def test_unusable_files(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UsageError, match=why):
        batch.read("", str(path))


def test_results_are_one_line_a_prompt() -> None:
    done = [{"text": "a\nb  c"}, {"text": ""}]
    safe, full = batch.write(done)
    assert Path(safe).read_text() == "a b c\n\n"
    assert [json.loads(line) for line in Path(full).read_text().splitlines()] == done


@pytest.mark.usefixtures("parts")
def test_own_policies_by_name() -> None:
    policies.save(" Mine ", "[thresholds]\nviolence = 0.1\n")
    assert policies.names() == ["relaxed", "standard", "strict", "mine"]
    assert policies.load("mine").thresholds["violence"] == 0.1
    policies.delete("mine")
    with pytest.raises(PolicyError, match="not known"):
        policies.load("mine")


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize(
    "name", ["", "..", "../up", "a/b", "/etc/passwd", "strict", "x" * 41, "a.toml", ".hidden"]
)
def test_names_that_cannot_be_used(name: str) -> None:
    with pytest.raises(PolicyError):
        policies.save(name, "")
    assert policies.names() == ["relaxed", "standard", "strict"]


def test_a_floor_lets_only_stricter_presets_through() -> None:
    assert policies.allowed("strict", "standard") == "strict"
    assert policies.allowed("relaxed", "standard") == "standard"
    assert policies.allowed("mine", "standard") == "standard"
    assert policies.allowed("strict", "mine") == "mine"


@pytest.mark.usefixtures("parts")
def test_a_port_in_use_is_told() -> None:
    with socket.socket() as taken:
        taken.bind((standalone.HOST, 0))
        taken.listen()
        with pytest.raises(UsageError, match="cannot listen"):
            standalone.serve(page.Rules(), port=taken.getsockname()[1])


def test_command_help() -> None:
    code = "from posi.posi_core.cli import main; main(['ui', '--help'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "this computer only" in " ".join(done.stdout.split())
