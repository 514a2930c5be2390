"""Runs a real ComfyUI with this checkout as a custom node: `POSI_COMFYUI=/path/to/ComfyUI pytest tests/hosts/comfyui`.

`POSI_COMFYUI_PYTHON` names its interpreter (this one if left out); it needs ComfyUI's requirements and POSI's.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hosts.comfyui.running import CHECKOUT, HERE, PYTHON, Comfy

SKIPPED = (
    "POSI_COMFYUI names no ComfyUI checkout: nothing was tried on the real host. "
    "Set it, and POSI_COMFYUI_PYTHON to an interpreter that runs it."
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(900))
            if not CHECKOUT:
                item.add_marker(pytest.mark.skip(reason=SKIPPED))


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `models` with a tiny random checkpoint named tiny.safetensors."""
    models = tmp_path_factory.mktemp("comfy-models") / "models"
    target = models / "checkpoints" / "tiny.safetensors"
    subprocess.run([PYTHON, str(HERE / "tiny_checkpoint.py"), CHECKOUT, str(target)], check=True, timeout=600)
    return models


@pytest.fixture(scope="module")
def comfy(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Iterator[Comfy]:
    """ComfyUI with default settings."""
    server = Comfy(_base(tmp_path_factory, checkpoint)).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Iterator[Any]:
    """Starts further servers: `start(POSI_ENFORCE="refuse")`, on a given `base` folder to come back to one."""
    running: list[Comfy] = []

    def begin(*arguments: str, base: Path | None = None, **environment: str) -> Comfy:
        for server in running:
            server.stop()
        running.clear()
        folder = base or _base(tmp_path_factory, checkpoint)
        running.append(Comfy(folder, environment, arguments).start())
        return running[-1]

    yield begin
    for server in running:
        server.stop()


def _base(factory: pytest.TempPathFactory, models: Path) -> Path:
    base = factory.mktemp("comfy")
    (base / "models").symlink_to(models, target_is_directory=True)
    return base
