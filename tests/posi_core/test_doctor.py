from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from posi.posi_core import cli, doctor, models
from posi.posi_core.models import files, manifest
from posi.posi_core.verdict import Verdict


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POSI_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def findings(check: Any) -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in check()}


def test_a_good_installation_has_no_problem() -> None:
    found = list(doctor.examine(run=False))
    assert [finding for finding in found if finding.status == "problem"] == []
    assert {"Python", "POSI", "llama-cpp-python", "CPU", "llama.cpp", "cache"} <= {
        item.name for item in found
    }


def test_llama_cpp_built_for_another_cpu_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda *a, **k: SimpleNamespace(returncode=-4, stdout="", stderr="Illegal instruction\n"),
    )
    found = findings(doctor._llama)["llama.cpp"]
    assert found.status == "problem"
    assert found.detail == "does not load: Illegal instruction"
    assert "pip install --force-reinstall" in found.advice


def test_llama_cpp_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*arguments: Any, **options: Any) -> Any:
        raise subprocess.TimeoutExpired("python", 120)

    monkeypatch.setattr(subprocess, "run", hang)
    assert findings(doctor._llama)["llama.cpp"].status == "problem"


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor, "requirements", lambda: {"": ("numpy", "no-such-thing"), "train": ("no-torch",)}
    )
    found = findings(doctor._packages)
    assert found["numpy"].status == "ok"
    assert (found["no-such-thing"].status, found["no-such-thing"].advice) == (
        "problem",
        "pip install no-such-thing",
    )
    assert (found["extra [train]"].status, found["extra [train]"].detail) == ("note", "without no-torch")


def test_a_damaged_and_a_missing_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "shipped"
    folder.mkdir()
    for module in (files, manifest):
        monkeypatch.setattr(module, "shipped_dir", lambda: folder)
    for role in ("rewriter", "risk"):
        (folder / f"{role}.gguf").write_bytes(b"weights")
        models.update_manifest(role, f"{role}.gguf", license="", source="", folder=folder)
    (folder / "rewriter.gguf").write_bytes(b"damaged")
    (folder / "risk.gguf").unlink()
    found = findings(doctor._models)
    assert "SHA-256" in found["rewriter model"].detail
    assert "reinstall POSI, or `git checkout -- models`" in found["rewriter model"].advice
    assert found["risk model"].detail.endswith("is missing")
    (folder / "manifest.json").unlink()
    assert findings(doctor._models)["manifest"].status == "problem"


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    found = findings(doctor._folders)
    assert found["cache"].status == "problem"
    assert "POSI_HOME" in found["cache"].advice


def test_old_cpu_and_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_cpuinfo", lambda: ("Old CPU", {"sse3"}))
    monkeypatch.setattr(doctor, "_available_memory", lambda: 100_000_000)
    found = findings(doctor._cpu)
    assert found["CPU features"].status == "note"
    assert found["free memory"].status == "problem"


def test_keys_in_the_environment_stay_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSI_API_KEY", "sk-123")
    assert findings(doctor._python)["POSI_API_KEY"].detail == "(set)"


def test_a_rewrite_that_blocks_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        parts = SimpleNamespace(started=lambda: None)

        def __init__(self, **options: Any) -> None: ...

        def __enter__(self) -> Broken:
            return self

        def __exit__(self, *details: object) -> None: ...

        def rewrite(self, text: str) -> Verdict:
            return Verdict("", "block", text, reason="The worker died.")

    monkeypatch.setattr("posi.posi_core.safe_prompt.SafePrompter", Broken)
    found = findings(doctor._rewrite)["rewrites a prompt"]
    assert (found.status, found.detail) == ("problem", "block instead of a rewrite: The worker died.")


def test_a_fault_in_one_check_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault() -> Any:
        raise ZeroDivisionError
        yield

    fault.__name__ = "_cpu"
    monkeypatch.setattr(doctor, "_cpu", fault)
    found = {item.name: item for item in doctor.examine(run=False)}
    assert found["cpu"].status == "problem"
    assert found["llama.cpp"].status == "ok"


@pytest.mark.parametrize("broken", [False, True])
def test_exit_code_and_json(broken: bool, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    seen = [doctor.Finding("files", "cache", "problem" if broken else "ok", "x [y]", "do [this]")]
    monkeypatch.setattr(doctor, "examine", lambda run: iter(seen))
    for arguments in (["doctor", "--json"], ["doctor", "--quick"]):
        with pytest.raises(SystemExit) as exit_:
            cli.main(arguments)
        assert exit_.value.code == int(broken)
        out = capfd.readouterr().out
        assert "x [y]" in out
        assert "do [this]" in out
    assert ("1 problem" if broken else "Everything works") in out
    with pytest.raises(SystemExit):
        cli.main(["doctor", "--json"])
    assert json.loads(capfd.readouterr().out)["advice"] == "do [this]"
