"""A wheel built from this tree holds every module and data file, and works from where it is unpacked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(
    ".git",
    "tests",
    "node_modules",
    "*.egg-info",
    "build",
    "runs",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    "data",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that a wheel built from a copy of the tree was unpacked to."""
    folder = tmp_path_factory.mktemp("packaging")
    tree = folder / "tree"
    # A folder's own "data" is left out at the top only: trainer/data is code.
    shutil.copytree(ROOT, tree, ignore=lambda path, names: _ignored(path, names))
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        ".",
    ]
    built = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=240)
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    target = folder / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    wheel.unlink()
    shutil.rmtree(tree)
    yield target
    shutil.rmtree(folder)


def _ignored(path: str, names: list[str]) -> set[str]:
    ignored = LEFT_OUT(path, names)
    return ignored if Path(path) == ROOT else ignored - {"data"}


def files(folder: Path, *endings: str) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in endings and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("part", ["posi_core", "posi_webui", "nodes", "trainer"])
def test_every_module_and_data_file_is_there(installed: Path, part: str) -> None:
    for endings in ((".py",), (".toml", ".txt", ".css", ".json", ".svg", ".html")):
        assert files(ROOT / part, *endings) - files(installed / "posi" / part, *endings) == set()


def test_weights_manifest_and_licence_are_there(installed: Path) -> None:
    assert files(ROOT / "models", ".gguf", ".onnx", ".json", ".safetensors") == files(
        installed / "posi" / "models", ".gguf", ".onnx", ".json", ".safetensors"
    )
    assert list(installed.glob("*.dist-info/licenses/LICENSE"))
    assert (installed / "posi" / "py.typed").exists()


def test_nothing_else_comes_along(installed: Path) -> None:
    assert {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} == {"posi"}
    assert not (installed / "posi" / "tests").exists()


def test_it_runs_from_there(installed: Path, tmp_path: Path) -> None:
    code = (
        "import posi, sys; from posi.posi_core import models; print(posi.__file__); print(models.find('risk'));"
        "from posi.posi_core.cli import main; main(['rewrite', 'a quiet lake at dawn'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed), "POSI_HOME": str(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    package, model, text = answer.stdout.splitlines()
    assert Path(package).is_relative_to(installed)
    assert Path(model).is_relative_to(installed)
    assert text == "a quiet lake at dawn"


def test_versions_agree() -> None:
    import posi

    assert f'version = "{posi.__version__}"\n' in (ROOT / "pyproject.toml").read_text()
    assert f"## [{posi.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
