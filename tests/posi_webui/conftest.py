from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import FakeEncoder, FakeEngine, FakeScorer

pytest.importorskip("gradio", reason="the page and the extension need gradio: pip install -e '.[ui]'")


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The process-wide service on the shared fakes, with a home of its own."""
    from posi.posi_core import service
    from posi.posi_core.safe_prompt import Parts

    monkeypatch.setenv("POSI_HOME", str(tmp_path / "home"))
    engine, scorer, encoder = FakeEngine(), FakeScorer(), FakeEncoder()
    own = service.Service(Parts(engine=engine, scorer=scorer, encoder=encoder), cache=False)
    monkeypatch.setattr(service, "_service", own)
    return SimpleNamespace(engine=engine, scorer=scorer, service=own)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The fake host, started once: loading the extension costs more than a generation."""
    from fake_webui import started

    with started(tmp_path_factory.mktemp("models")) as host:
        yield host


@pytest.fixture
def host(parts: SimpleNamespace, running: Any) -> Any:
    """The host as after its start: nothing interrupted, no setting changed."""
    running.shared.opts.data.clear()
    running.shared.opts.data_labels.clear()
    running.shared.state.interrupted = False
    running.log.clear()
    return running
