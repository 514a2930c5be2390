from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from posi.posi_core.errors import ModelFileError, UsageError
from posi.posi_core.risk import OnnxScorer
from posi.posi_core.similarity import SentenceEncoder as OnnxEncoder
from posi.posi_core.verdict import CATEGORIES
from posi.trainer.evaluation.risk.figures import spearman
from posi.trainer.risk.batches import Examples
from posi.trainer.risk.calibration import Validation, calibrate, fit_platt
from posi.trainer.risk.command import ENCODER, POINTS, run_export_encoder, run_train_risk
from posi.trainer.risk.config import RiskRecipe, load_recipe
from posi.trainer.risk.encoder import load_encoder
from posi.trainer.risk.examples import (
    HEADS,
    Example,
    benign_example,
    i2p_example,
    prompt_examples,
    risky_example,
    sentence_examples,
    split_validation,
    training_texts,
)
from posi.trainer.risk.hard_cases import hard_cases
from posi.trainer.risk.templates import MOST_EACH
from posi.trainer.risk.training import TrainingConfig, head_logits, ranking_loss, train
from tiny_risk import CONFIG, hugging_face_state, tiny_tokenizer, write_tiny_base, write_tiny_sources

FAST = TrainingConfig(
    frozen_layers=1,
    steps=60,
    prompt_batch=8,
    sentence_batch=8,
    learning_rate=5e-3,
    head_rate=3e-2,
    bf16=False,
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sources(tmp_path_factory.mktemp("sources"))


def rows(share: float, text: str) -> Example:
    return i2p_example(
        {
            "prompt": text,
            "categories": ["violence"],
            "inappropriate_percentage": 100 * share,
            "nudity_percentage": 0.0,
            "q16_percentage": 100 * share,
        }
    )


def examples(base: Path) -> tuple[Examples, Examples]:
    tokenizer = tiny_tokenizer()
    i2p = [rows(0.9, "a dog with knife and blood"), rows(0.1, "a dog with bread and tree")] * 8
    rest = [risky_example("a corpse and gore", "twins", "violence"), benign_example("a lake", "captions")] * 8
    return (
        Examples(load_encoder(base), tokenizer, i2p, 1, bf16=False),
        Examples(load_encoder(base), tokenizer, rest, 1, bf16=False),
    )


def test_the_encoder_equals_transformers_bert(base: Path) -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=CONFIG.vocab_size,
        hidden_size=CONFIG.hidden_size,
        num_hidden_layers=CONFIG.num_hidden_layers,
        num_attention_heads=CONFIG.num_attention_heads,
        intermediate_size=CONFIG.intermediate_size,
        max_position_embeddings=CONFIG.max_position_embeddings,
        layer_norm_eps=CONFIG.layer_norm_eps,
    )
    theirs = BertModel(config, add_pooling_layer=False).eval()
    theirs.load_state_dict(hugging_face_state(), strict=False)
    ids = torch.tensor([[2, 10, 11, 12, 3, 0, 0], [2, 10, 14, 15, 16, 17, 3]])
    mask = (ids != 0).long()
    with torch.no_grad():
        hidden = theirs(input_ids=ids, attention_mask=mask).last_hidden_state
        expected = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
        assert torch.allclose(load_encoder(base).eval()(ids, mask), expected, atol=1e-5)


def test_a_folder_without_an_encoder(tmp_path: Path, base: Path) -> None:
    with pytest.raises(ModelFileError, match=r"no config\.json"):
        load_encoder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    (tmp_path / "model.safetensors").write_bytes((base / "model.safetensors").read_bytes())
    with pytest.raises(ModelFileError, match="gpt2"):
        load_encoder(tmp_path)


def test_training_separates_and_repeats_and_leaves_frozen_layers(base: Path) -> None:
    i2p, rest = examples(base)
    networks = [
        train(load_encoder(base), i2p, rest, FAST, seed=seed, report=lambda _: None) for seed in (0, 0, 1)
    ]
    first, same, other = (network.state_dict() for network in networks)
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["heads.weight"], other["heads.weight"])
    start = load_encoder(base).state_dict()
    assert torch.equal(first["encoder.words.weight"], start["words.weight"])
    assert torch.equal(first["encoder.layers.0.up.weight"], start["layers.0.up.weight"])
    assert not torch.equal(first["encoder.layers.1.up.weight"], start["layers.1.up.weight"])
    logits = head_logits(
        networks[0], tiny_tokenizer(), ["a dog with knife and blood", "a dog with bread and tree"]
    )
    share = logits[:, HEADS.index("share")]
    assert share[0] > share[1] + 0.5


def test_cached_states_are_what_the_network_computes(base: Path) -> None:
    """One long and one short row in a batch: padding of the cached states must not leak into the mean."""
    encoder = load_encoder(base).eval()
    tokenizer = tiny_tokenizer()
    both = [benign_example("a dog", "x"), benign_example("a dog with bread and tree and cloud and lake", "x")]
    batch = next(Examples(encoder, tokenizer, both, 1, bf16=False).batches(2, 0))
    with torch.no_grad():
        found = encoder.upper(batch.hidden, batch.attention_mask, 1)
        for place, length in enumerate(batch.attention_mask.sum(1).tolist()):
            text = both[0] if length == 4 else both[1]
            ids = torch.tensor([tokenizer.encode(text.text).ids])
            assert torch.allclose(found[place], encoder(ids, torch.ones_like(ids))[0], atol=2e-2)


def test_ranking_loss_wants_the_order_of_the_shares() -> None:
    shares = torch.tensor([0.9, 0.5, 0.1])
    right, wrong = torch.tensor([2.0, 0.0, -2.0]), torch.tensor([-2.0, 0.0, 2.0])
    assert ranking_loss(right, shares) < ranking_loss(wrong, shares)
    assert ranking_loss(right, torch.tensor([0.5, 0.5, 0.45])) == 0


def test_platt_finds_the_slope_and_offset_that_made_the_targets() -> None:
    logits = np.random.default_rng(0).normal(size=4000) * 2
    targets = 1 / (1 + np.exp(-(0.6 * logits - 0.4)))
    slope, offset = fit_platt(logits, targets, np.ones_like(logits))
    assert slope == pytest.approx(0.6, abs=0.01)
    assert offset == pytest.approx(-0.4, abs=0.01)


def test_calibration_keeps_the_order_and_meets_the_mean() -> None:
    random = np.random.default_rng(1)
    shares = random.integers(0, 11, 300) / 10
    logits = np.repeat((4 * shares - 1 + random.normal(size=300))[:, None], len(HEADS), axis=1)
    validation = Validation([rows(float(share), "x") for share in shares], logits)
    found = calibrate(validation, {"share": 1.0, "q16": 0.5})
    slope = found.weight[0][HEADS.index("share")]
    assert found.weight[0][HEADS.index("q16")] == pytest.approx(slope / 2)
    assert found.weight[0][HEADS.index("gate")] == 0
    overall = 1 / (1 + np.exp(-(logits @ np.array(found.weight[0]) + found.bias[0])))
    assert overall.mean() == pytest.approx(shares.mean(), abs=0.01)
    assert spearman(overall, shares) == pytest.approx(spearman(logits[:, 0], shares))
    assert len(found.weight) == len(found.bias) == 1 + len(CATEGORIES)


def test_from_sources_to_a_scorer_file(base: Path, source: Path, tmp_path: Path) -> None:
    said: list[str] = []
    recipe = RiskRecipe(seeds=(0, 1), hard_cases=0.5, diluted=0.25, training=replace(FAST, steps=80))
    target = run_train_risk(source, base, recipe, tmp_path, report=said.append)
    fit, _ = split_validation(training_texts(source))
    plain = (prompt_examples(fit, [0.0] * len(fit.users), prior=0.5), sentence_examples(fit, pairs=4000))
    known = [sum(row.source != "user" for row in part) for part in plain]
    prompts, sentences = (
        len(part) + round(more / 2) + round(more / 4) for part, more in zip(plain, known, strict=True)
    )
    assert said[0] == f"{prompts} prompts, {sentences} sentences"
    scorer = OnnxScorer(target, threads=1)
    calm, grim = scorer.score(["a dog with bread", "a dog with knife and blood and corpse"], words=True)
    assert grim.overall > calm.overall
    assert [word.word for word in grim.words][:3] == ["a", "dog", "with"]
    assert grim.words[0].share == 0
    (dotted,) = scorer.score(["The dog, and with. A bread!"])
    assert (dotted.overall, dotted.categories) == (calm.overall, calm.categories)
    points = json.loads((tmp_path / POINTS).read_text())
    assert points["scorer"] == scorer.identity
    limits = [points["presets"][name]["thresholds"]["overall"] for name in ("relaxed", "standard", "strict")]
    assert limits == sorted(limits, reverse=True)
    assert sum(line.startswith("seed") for line in said) == 2


def test_each_round_strews_in_what_the_last_scorer_likes(
    base: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[list[Sequence[str]]] = []

    def noted(
        rows: Sequence[Example], favourites: Sequence[Sequence[str]], *, part: float, seed: int
    ) -> list[Example]:
        used.append(list(favourites))
        return hard_cases(rows, favourites, part=part, seed=seed)

    monkeypatch.setattr("posi.trainer.risk.run.hard_cases", noted)
    recipe = RiskRecipe(rounds=2, hard_cases=0.5, training=replace(FAST, steps=80))
    said: list[str] = []
    run_train_risk(source, base, recipe, tmp_path, report=said.append)
    assert [line for line in said if line.startswith("round")] == [
        "round 2 of 2: the words that the scorer likes"
    ]
    assert [len(lists) for lists in used] == [1, 1, 2, 2]  # prompts and sentences, in each of two rounds
    assert used[-1][0] == used[0][0]
    assert used[-1][1]
    with pytest.raises(UsageError, match="rounds is 0"):
        RiskRecipe(rounds=0)


def test_export_of_the_sentence_encoder(base: Path, tmp_path: Path) -> None:
    target = run_export_encoder(base, tmp_path)
    assert target.name == ENCODER
    encoder = OnnxEncoder(target)
    texts = ["a dog with bread", "a lake and the garden"]
    tokenizer = tiny_tokenizer()
    plain = load_encoder(base).eval()
    for text, found in zip(texts, encoder.embed(texts), strict=True):
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.no_grad():
            wanted = torch.nn.functional.normalize(plain(ids, torch.ones_like(ids)), dim=1)[0].numpy()
        assert float(found @ wanted) > 0.98


def test_recipes(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("seeds = [3]\nuser_prior = 0.25\n[training]\nsteps = 7\n")
    recipe = load_recipe(path)
    assert (recipe.seeds, recipe.user_prior, recipe.training.steps) == ((3,), 0.25, 7)
    ours = Path(__file__).parents[3] / "trainer" / "recipes"
    first, second = (load_recipe(ours / name) for name in ("risk-minilm-l6.toml", "risk-second.toml"))
    assert first.seeds != second.seeds
    for text, message in (
        ("stepz = 1", "unknown key 'stepz'"),
        ("[training]\nsteeps = 1", r"unknown key 'training\.steeps'"),
        ("user_prior = 2", "user_prior is 2"),
        (f"short = {MOST_EACH + 1}", f"short is {MOST_EACH + 1}"),
        ("seeds = []", "seeds is empty"),
        ("[mix]\nq17 = 1", r"mix\.q17 is not known"),
        ("[mix]\nq16 = 0", "no head a weight"),
        ("seeds = ", "cannot be read as TOML"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            load_recipe(path)
