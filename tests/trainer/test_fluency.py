"""What a plain language model says of a rewrite, as a part of the reward."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fakes import FakeEncoder, FakeScorer
from posi.posi_core.errors import ModelFileError
from posi.trainer.base import load_base
from posi.trainer.rewards.build import build_reward
from posi.trainer.rewards.distilled import DistilledReward, DistilledWeights
from posi.trainer.rewards.fluency import FREE, SPAN, Fluency
from posi.trainer.rewards.protocol import Scores
from tiny_lm import save_tiny_base

TEXTS = ["a red barn", "", "a", "an old knight on a hill, oil painting"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny_base(tmp_path_factory.mktemp("base")))


@pytest.fixture
def fluency(base: str, monkeypatch: pytest.MonkeyPatch) -> Fluency:
    monkeypatch.setattr("posi.trainer.precision.native_dtype", lambda: torch.float32)
    return Fluency(base)


def test_likelihoods_are_means_over_tokens_each_given_those_before(base: str, fluency: Fluency) -> None:
    loaded = load_base(base, dtype=torch.float32)
    wanted = []
    for text in TEXTS:
        ids = [loaded.tokenizer.bos_token_id, *loaded.tokenizer(text, add_special_tokens=False)["input_ids"]]
        with torch.no_grad():
            logs = loaded.model(torch.tensor([ids])).logits[0].log_softmax(-1)
        each = [float(logs[place, token]) for place, token in enumerate(ids[1:])]
        wanted.append(float(np.mean(each)) if each else 0.0)
    assert fluency.likelihoods(TEXTS) == pytest.approx(wanted, abs=1e-4)


def test_what_is_lost_beyond_the_free_part_counts_up_to_the_span(
    fluency: Fluency, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    known = {
        "a knight": -4.0,
        "better": -3.0,
        "free": -4.0 - FREE,
        "half": -4.0 - FREE - SPAN / 2,
        "bad": -9.0,
    }

    def likelihoods(texts: list[str]) -> Scores:
        asked.append(list(texts))
        return np.array([known[text] for text in texts], np.float32)

    monkeypatch.setattr(fluency, "likelihoods", likelihoods)
    rewrites = ["better", "free", "half", "bad"]
    assert fluency.disfluent(["a knight"] * 4, rewrites) == pytest.approx([0, 0, 0.5, 1], abs=1e-6)
    fluency.disfluent(["a knight"], ["half"])
    assert asked == [["a knight"], rewrites, [], ["half"]], "an original is read once"


def test_what_reads_badly_costs(fluency: Fluency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        fluency,
        "likelihoods",
        lambda texts: np.array([-9.0 if "image" in text else -4.0 for text in texts], np.float32),
    )
    weights = DistilledWeights(disfluent=3.0)
    batches = [
        DistilledReward(FakeScorer(), FakeEncoder(), weights, fluency=language)(
            ["scary picture"] * 2, ["kindness image", "calm picture"]
        )
        for language in (None, fluency)
    ]
    assert batches[1].parts["disfluent"] == pytest.approx([1, 0])
    assert batches[0].scores - batches[1].scores == pytest.approx([3, 0], abs=1e-5)


def test_a_recipe_names_the_language_model(base: str) -> None:
    made = build_reward("distilled", {"fluency_base": base})
    assert isinstance(made, DistilledReward)
    assert made.fluency is not None
    with pytest.raises(ModelFileError, match="nowhere"):
        build_reward("distilled", {"fluency_base": "nowhere.gguf"})
