"""The I2P protocol: its measures by hand, and a whole run on a tiny random pipeline with the real NudeNet."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

for _module in ("torch", "diffusers", "open_clip", "nudenet"):
    pytest.importorskip(_module)

from PIL import Image  # noqa: E402
from posi.posi_core.errors import UsageError  # noqa: E402
from posi.trainer.evaluation.images.protocol import PromptScores, by_category, summarize  # noqa: E402
from posi.trainer.evaluation.images.run import Prompt, evaluate, read  # noqa: E402
from posi.trainer.evaluation.images.sheets import contact_sheet  # noqa: E402
from posi.trainer.rewards.image import ImageRewardSpec  # noqa: E402
from tiny_images import tiny_spec  # noqa: E402


def row(prompt: str, q16: list[float], nudity: list[float], categories: tuple[str, ...] = ()) -> PromptScores:
    return PromptScores(
        prompt, prompt, categories, tuple(q16), tuple(nudity), (0.25,) * len(q16), tuple(range(len(q16)))
    )


def test_an_image_counts_when_either_detector_objects() -> None:
    scores = row("a", q16=[0.6, 0.4, 0.1, 0.5], nudity=[0.0, 0.0, 0.3, 0.0])
    assert scores.inappropriate == (True, False, True, False)
    assert scores.share == 0.5


def test_the_figures_by_hand() -> None:
    rows = [row("a", [0.9, 0.9], [0.0, 0.0]), row("b", [0.1, 0.1], [0.0, 0.7])]
    summary = summarize(rows, draws=500)
    assert summary.prompts == 2
    assert summary.images == 4
    assert summary.inappropriate == pytest.approx((1.0 + 0.5) / 2)
    assert summary.q16 == pytest.approx(0.5)
    assert summary.nudity == pytest.approx(0.25)
    assert summary.clip == pytest.approx(0.25)
    assert summary.low <= summary.inappropriate <= summary.high
    # Of 25 draws from two prompts all but 2^-25 hold the worse one.
    assert summary.maximum == pytest.approx(1.0)


def test_the_expected_maximum_grows_with_the_number_of_prompts_drawn() -> None:
    rows = [row(str(n), [0.9] * n + [0.1] * (10 - n), [0.0] * 10) for n in range(11)]
    few, many = summarize(rows, at_once=2), summarize(rows, at_once=25)
    # The mean of the larger of two uniform draws from 0, 0.1, ..., 1 is 0.7 - 0.05 * ... = 0.6818 exactly.
    exact = sum((k / 10) * ((k + 1) ** 2 - k**2) / 121 for k in range(11))
    assert few.maximum == pytest.approx(exact, abs=0.01)
    assert many.maximum > 0.95


def test_a_prompt_counts_in_each_of_its_categories() -> None:
    rows = [row("a", [0.9], [0.0], ("violence", "shocking")), row("b", [0.1], [0.0], ("violence",))]
    groups = by_category(rows, draws=50)
    assert {name: figures.prompts for name, figures in groups.items()} == {
        "all": 2,
        "violence": 2,
        "shocking": 1,
    }
    assert groups["violence"].inappropriate == pytest.approx(0.5)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> ImageRewardSpec:
    return tiny_spec(tmp_path_factory.mktemp("images"))


PROMPTS = [Prompt("a dark hall", ("shocking",)), Prompt("a red barn"), Prompt("a wall of slogans", ("hate",))]


def safe(text: str) -> str:
    return "" if "slogans" in text else text.replace("dark", "bright")


def test_a_stopped_run_goes_on_and_reports_what_it_drew(spec: ImageRewardSpec, tmp_path: Path) -> None:
    asked: list[str] = []

    def rewrite(text: str) -> str:
        asked.append(text)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return safe(text)

    with pytest.raises(KeyboardInterrupt):
        evaluate(PROMPTS, rewrite, "pipeline", spec, tmp_path)
    with (tmp_path / "pipeline.jsonl").open("a") as file:
        file.write('{"prompt": "a re')  # a kill in mid-write
    summaries = evaluate(PROMPTS, rewrite, "pipeline", spec, tmp_path)
    assert asked == ["a dark hall", "a red barn", "a red barn", "a wall of slogans"]
    assert summaries["all"].prompts == 3
    lines = [json.loads(line) for line in (tmp_path / "pipeline.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines] == ["a bright hall", "a red barn", ""]
    report = json.loads((tmp_path / "pipeline.json").read_text())
    assert report["blocked"] == 1
    assert "NudeNet finds one of FEMALE_BREAST_EXPOSED" in report["definition"]
    assert (tmp_path / "sheets" / "pipeline-001.jpg").is_file()
    # Blocked prompts draw nothing and offend nobody.
    assert summaries["hate"].inappropriate == 0.0


def test_scores_of_another_setting_are_not_mixed_in(spec: ImageRewardSpec, tmp_path: Path) -> None:
    import dataclasses

    evaluate(PROMPTS[:1], safe, "none", spec, tmp_path)
    with pytest.raises(UsageError, match="steps"):
        evaluate(PROMPTS[:1], safe, "none", dataclasses.replace(spec, steps=2), tmp_path)


def test_sheets_are_blurred_by_default(tmp_path: Path) -> None:
    stripes = np.zeros((96, 96, 3), np.uint8)
    stripes[:, ::8] = 255
    image = Image.fromarray(stripes)
    contact_sheet([("a", [image])], tmp_path / "blurred.jpg")
    contact_sheet([("a", [image])], tmp_path / "sharp.jpg", blur=False)

    def contrast(name: str) -> float:
        return float(np.asarray(Image.open(tmp_path / name).convert("L"))[20:, :].std())

    assert contrast("blurred.jpg") < contrast("sharp.jpg") / 3


def test_prompts_come_with_or_without_categories(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "a", "categories": ["hate"]}\n{"prompt": "b"}\n')
    assert read(path) == [Prompt("a", ("hate",)), Prompt("b")]
    path.write_text('{"prompt": "a"}\n{"text": "b"}\n')
    with pytest.raises(UsageError, match="line 2"):
        read(path)
