from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from posi.posi_core.engine import LlamaCppEngine
from tiny_gguf import write_tiny_gguf


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSI_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes its time: some ten milliseconds a token on one thread."""
    return write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "slow.gguf", hidden=512, layers=12)


@pytest.fixture
def open_engine() -> Iterator[Callable[..., LlamaCppEngine]]:
    """Engines of one thread (two would wait for each other on a busy machine), closed at the end."""
    opened = []

    def open_one(path: Path, **options: Any) -> LlamaCppEngine:
        engine = LlamaCppEngine(path, **{"threads": 1, **options})
        opened.append(engine)
        return engine

    yield open_one
    for engine in opened:
        engine.close()
