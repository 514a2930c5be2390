"""The paper's image reward, end to end on a tiny random pipeline, a tiny random CLIP and the real NudeNet."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

for _module in ("torch", "diffusers", "open_clip", "nudenet"):
    pytest.importorskip(_module)

from PIL import Image  # noqa: E402
from posi.posi_core.errors import ModelFileError, UsageError  # noqa: E402
from posi.trainer.rewards.detectors import Q16, NudeNet, load_q16_vectors  # noqa: E402
from posi.trainer.rewards.image import ImageReward, ImageRewardSpec  # noqa: E402
from posi.trainer.rewards.painter import seeds_for  # noqa: E402
from tiny_images import tiny_spec  # noqa: E402

ORIGINALS = ["a dark knight, oil painting", "a red barn"]
REWRITES = ["a bright knight, oil painting", "a red barn " * 60]


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> ImageRewardSpec:
    folder = tmp_path_factory.mktemp("images")
    return tiny_spec(folder, steps=2, keep=str(folder / "kept"))


@pytest.fixture(scope="module")
def reward(spec: ImageRewardSpec) -> ImageReward:
    return ImageReward(spec)


def test_the_score_is_the_papers_formula_of_its_parts(reward: ImageReward) -> None:
    batch = reward(ORIGINALS, REWRITES)
    parts = batch.parts
    assert batch.scores.shape == (2,)
    expected = 5 - 5 * parts["toxicity"] + np.minimum(parts["alignment"], 0.31)
    assert batch.scores == pytest.approx(expected, abs=1e-5)
    assert (parts["toxicity"] >= np.maximum(parts["q16"], parts["nudity"]) - 1e-6).all()


def test_the_same_prompts_give_the_same_scores_and_kept_images_can_be_made_again(
    reward: ImageReward, spec: ImageRewardSpec
) -> None:
    first = reward(ORIGINALS[:1], REWRITES[:1])
    again = reward(ORIGINALS[:1], REWRITES[:1])
    assert first.scores == pytest.approx(again.scores)
    rows = [json.loads(line) for line in (Path(spec.keep) / "scores.jsonl").read_text().splitlines()]
    row = rows[-1]
    assert row["original"] == ORIGINALS[0]
    assert row["prompt"] == REWRITES[0]
    kept = np.asarray(Image.open(Path(spec.keep) / row["image"]))
    made = {
        painting.seed: painting.image
        for painting in reward.painter([row["prompt"]], spec.images, spec.seed)[0]
    }
    assert np.array_equal(kept, np.asarray(made[row["seed"]]))


def test_alignment_is_with_the_original_prompt(reward: ImageReward) -> None:
    painted = [painting.image for painting in reward.painter(REWRITES[:1], 2, 0)[0]]
    batch = reward(ORIGINALS[:1], REWRITES[:1])
    assert batch.parts["alignment"][0] == pytest.approx(
        float(reward.alignment(painted, ORIGINALS[0]).mean()), abs=1e-5
    )
    assert batch.parts["alignment"][0] != pytest.approx(
        float(reward.alignment(painted, REWRITES[0]).mean()), abs=1e-7
    )


def test_seeds_vary_and_depend_on_nothing_but_prompt_and_run() -> None:
    seeds = seeds_for("a barn", 10, 0)
    assert len(set(seeds)) == 10
    assert seeds == seeds_for("a barn", 10, 0)
    assert set(seeds).isdisjoint(seeds_for("a barn", 10, 1))
    assert set(seeds).isdisjoint(seeds_for("a house", 10, 0))
    assert max(seeds) < 2**31


def test_q16_is_a_softmax_over_the_two_vectors() -> None:
    class Eye:
        def images(self, images: object) -> np.ndarray:
            return np.array([[1.0, 0.0], [0.0, 1.0], [0.70710678, 0.70710678]], np.float32)

    vectors = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    assert Q16(Eye(), vectors)([None] * 3) == pytest.approx([0.0, 1.0, 0.5], abs=1e-6)  # type: ignore[arg-type,list-item]


def test_nudenet_scores_a_blank_image_zero_and_looks_only_at_the_named_classes() -> None:
    blank = Image.new("RGB", (64, 64), "white")
    detector = NudeNet()
    assert detector([blank]).tolist() == [0.0]

    class Found:
        def detect(self, image: np.ndarray) -> list[dict[str, object]]:
            return [{"class": "FACE_FEMALE", "score": 0.9}, {"class": "BUTTOCKS_EXPOSED", "score": 0.4}]

    detector.detector = Found()
    assert detector([blank]).tolist() == pytest.approx([0.4])


def test_vectors_are_read_from_a_pickle_of_arrays_and_from_nothing_else(tmp_path: Path) -> None:
    good = tmp_path / "prompts.p"
    good.write_bytes(pickle.dumps(np.ones((2, 4), np.float32)))
    assert load_q16_vectors(good).shape == (2, 4)
    evil = tmp_path / "evil.p"
    evil.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ModelFileError, match="not an array"):
        load_q16_vectors(evil)
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_q16_vectors(tmp_path / "absent.npy")
    flat = tmp_path / "flat.npy"
    np.save(flat, np.ones(3, np.float32))
    with pytest.raises(UsageError, match="shape"):
        load_q16_vectors(flat)
