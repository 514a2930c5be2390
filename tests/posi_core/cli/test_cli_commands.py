from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from posi.posi_core import requirements
from posi.posi_core.cli import lazy

HEAVY = ("torch", "transformers", "gradio", "onnxruntime", "llama_cpp", "numpy")


def entries(monkeypatch: pytest.MonkeyPatch, **loaders: Any) -> None:
    found = [SimpleNamespace(name=name, load=load) for name, load in loaders.items()]
    monkeypatch.setattr(lazy, "_entries", lambda: found)


@pytest.mark.parametrize("arguments", [["--help"], ["rewrite", "--help"], ["models", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from posi.posi_core.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        f"finally:\n    print('heavy:', [n for n in {HEAVY!r} if n in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60
    )
    assert answer.returncode == 0, answer.stderr
    assert "heavy: []" in answer.stdout
    assert "not available" not in answer.stdout


def test_help_lists_what_other_parts_register(run: Any) -> None:
    shown = run("--help").out
    for name in ("rewrite", "check", "models", "doctor", "bench", "data", "train", "export", "eval", "ui"):
        assert f" {name} " in shown


def test_every_registered_command_can_be_loaded() -> None:
    for entry in metadata.entry_points(group=lazy.GROUP):
        assert callable(entry.load()), entry.name


def test_a_command_is_imported_only_when_named(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []

    def paint(colour: str) -> None:
        """Paint something."""
        typer.echo(f"painted {colour}")

    def load() -> Any:
        loaded.append("paint")
        return paint

    entries(monkeypatch, paint=load)
    run("rewrite", "a lake")
    assert loaded == []
    assert run("paint", "red").out == "painted red\n"
    assert run("paint").code == 2


def test_a_group_of_commands(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    group = typer.Typer(help="Tools.")

    @group.command()
    def first() -> None:
        typer.echo("first")

    @group.command()
    def second() -> None:
        typer.echo("second")

    entries(monkeypatch, tools=lambda: group)
    assert run("tools", "second").out == "second\n"
    assert "Tools." in run("--help").out


def test_a_missing_extra_is_named_and_help_still_works(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_torch() -> Any:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    def broken() -> Any:
        raise RuntimeError("oops [bold]")

    entries(monkeypatch, train=no_torch, odd=broken)
    answer = run("train", "sft", "--config", "x")
    assert answer.code == 1
    assert answer.err == (
        "posi: error: torch is not installed: pip install 'posi-safe-prompt[train]' "
        "(in a checkout: pip install -e '.[train]')\n"
    )
    shown = run("--help")
    assert shown.code == 0
    assert "posi-safe-prompt[train]" in shown.out
    assert "oops [bold]" in shown.out


def test_module_missing_inside_a_command(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def needs() -> None:
        raise ModuleNotFoundError("No module named 'sklearn.linear_model'", name="sklearn.linear_model")

    entries(monkeypatch, needs=lambda: needs)
    assert "pip install 'posi-safe-prompt[train]'" in run("needs").err


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("torch", "train"),
        ("yaml", "train"),
        ("PIL", "images"),
        ("gradio", "ui"),
        ("llama_cpp", ""),
        ("nope", None),
    ],
)
def test_extra_of_a_module(module: str, extra: str | None) -> None:
    assert requirements.extra_of(module) == extra


def test_a_full_disk_is_one_line(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device", "/tmp/out.gguf")

    entries(monkeypatch, full=lambda: full)
    answer = run("full")
    assert (answer.code, answer.err) == (1, "posi: error: /tmp/out.gguf: No space left on device\n")


def test_version(run: Any) -> None:
    assert run("--version").out == f"posi {metadata.version('posi-safe-prompt')}\n"


def test_models_list_verify_and_pull(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from posi.posi_core import models
    from posi.posi_core.models import files, manifest

    folder = tmp_path / "shipped"
    folder.mkdir()
    for module in (files, manifest):
        monkeypatch.setattr(module, "shipped_dir", lambda: folder)
    monkeypatch.setattr(files, "_hashes", {})
    (folder / "small.gguf").write_bytes(b"weights")
    models.update_manifest("rewriter", "small.gguf", license="Apache-2.0", source="made here", folder=folder)

    assert "small" in run("models", "list").out
    assert run("models", "verify").code == 0
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "small.gguf").write_bytes(b"weights")
    (folder / "small.gguf").write_bytes(b"wEights")
    answer = run("models", "verify", "small")
    assert answer.code == 1
    assert "SHA-256" in answer.out
    (folder / "small.gguf").unlink()
    assert "missing" in run("models", "list").out
    assert run("models", "pull", "--from", mirror.as_uri()).code == 0
    assert run("models", "verify").code == 0
    assert "there already" in run("models", "pull", "--from", mirror.as_uri()).out
    assert run("models", "pull").code == 0
    answer = run("models", "verify", "other")
    assert answer.code == 2
    assert "there are small" in answer.err
