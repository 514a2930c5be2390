from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from fakes import FakeEncoder, FakeEngine, FakeScorer
from posi.posi_core import cli, safe_prompt


@dataclass(frozen=True)
class Answer:
    """What one call of the command line left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Run = Callable[..., Answer]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `posi ARGUMENTS` in this process, with `engine=` and `scorer=` in place of the shipped models."""
    monkeypatch.setenv("POSI_HOME", str(tmp_path / "posi-home"))
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments: str, engine: FakeEngine | None = None, scorer: FakeScorer | None = None) -> Answer:
        prompter = functools.partial(
            safe_prompt.prompter.SafePrompter,
            engine=engine or FakeEngine(),
            scorer=scorer or FakeScorer(),
            encoder=FakeEncoder(),
        )
        monkeypatch.setattr(safe_prompt, "SafePrompter", prompter)
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            cli.main(list(arguments))
        captured = capfd.readouterr()
        return Answer(int(exit_.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture
def lines(tmp_path: Path) -> Callable[[Sequence[bytes] | bytes], str]:
    """Writes bytes to a file and gives its path."""

    def write(content: Sequence[bytes] | bytes) -> str:
        path = tmp_path / "prompts.txt"
        path.write_bytes(content if isinstance(content, bytes) else b"\n".join(content))
        return str(path)

    return write
