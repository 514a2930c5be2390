from __future__ import annotations

import json
from pathlib import Path

import pytest
from posi.posi_core.bench import acceptance, report, summary
from posi.posi_core.bench.measure import Answers, Difference, Measurement, Setting, _PlainProcess, measure
from posi.posi_core.bench.prompts import our_own
from posi.posi_core.engine import settings
from tiny_gguf import write_tiny_gguf
from typer.testing import CliRunner

PROMPTS = ["the old house by the sea", "a red cat on the mat", "a dog", "the cat and the dog in the house"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSI_HOME", str(tmp_path / "home"))


def test_both_sides_say_the_same(tiny: Path) -> None:
    told: list[int] = []
    measured = measure(PROMPTS, Setting(tiny, threads=1, repeats=1), told.append)
    assert told[-1] == len(PROMPTS)
    assert measured.identical == 1.0
    assert measured.differences == []
    assert len(measured.ours.seconds) == len(measured.plain.seconds) == len(PROMPTS)
    assert measured.speedup > 0
    assert measured.ours.start > 0
    assert measured.ours.peak_memory
    assert measured.plain.peak_memory


@pytest.mark.parametrize("crash", [False, True])
def test_where_repacked_weights_crash_neither_side_has_them(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, crash: bool
) -> None:
    plain = []

    class Watched(_PlainProcess):
        def stop(self) -> None:
            plain.append(self.ready["extra_buffers"])
            super().stop()

    if crash:
        settings.remember_safe_setting()
    monkeypatch.setattr("posi.posi_core.bench.measure._PlainProcess", Watched)
    assert measure(PROMPTS, Setting(tiny, threads=1, repeats=1), lambda count: None).identical == 1.0
    assert plain == [not crash]


def test_the_command_ends_with_one_json_object(tiny: Path, tmp_path: Path) -> None:
    from posi.posi_core.cli.app import app

    file = tmp_path / "prompts.txt"
    file.write_text("\n".join(PROMPTS))
    options = ["--model", str(tiny), "--prompts", str(file), "--threads", "1", "--repeats", "1", "--json"]
    done = CliRunner().invoke(app, ["bench", *options])
    assert done.exit_code == 0, done.output
    data = json.loads(done.output.strip().splitlines()[-1])
    assert data["identical"] == 1.0
    assert data["speedup"] > 0
    assert data["prompts"] == len(PROMPTS)
    assert {"start_seconds", "peak_memory_worker", "tokens_per_second", "acceptance"} <= set(data)
    assert "create_completion" in done.output


def measured_by_hand() -> Measurement:
    ours = Answers([0.1, 0.2, 0.4], ["a", "b", "c"], [[1], [2], [3]], [False] * 3, tokens=30)
    plain = Answers([0.2, 0.5, 0.4], ["a", "b", "x"], [[1], [2], [4]], [False] * 3, tokens=30)
    differences = [Difference("p", "c", "x", 0.01, 0.1), Difference("q", "c", "x", 0.5, 0.1)]
    return Measurement(2, ours, plain, differences[:1], drafted=40, accepted=30, rounds=10)


def test_the_figures() -> None:
    measured = measured_by_hand()
    assert measured.speedup == pytest.approx(2.0)
    assert measured.identical == pytest.approx(2 / 3)
    assert acceptance(measured) == 0.75
    assert measured.ours.tokens_per_second == pytest.approx(30 / 0.7)
    data = summary(measured)
    assert (data["near_ties"], data["unexplained"]) == (1, 0)
    assert any("near-tie" in line for line in report(measured, "model"))
    assert not Difference("q", "c", "x", 0.5, 0.1).near_tie


def test_our_own_prompts_are_a_hundred_different_ones() -> None:
    assert len(set(our_own(100))) == 100
