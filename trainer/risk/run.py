"""One scorer from a recipe: targets, training runs, averaging, calibration, export."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ...posi_core.models.manifest import write_atomically
from ...posi_core.risk import Scorer, load_scorer
from ..base import cores
from .batches import Examples
from .calibration import Validation, calibrate
from .config import RiskRecipe
from .encoder import load_encoder
from .examples import (
    Example,
    TrainingTexts,
    benign_example,
    i2p_example,
    prompt_examples,
    risky_example,
    sentence_examples,
    split_validation,
    training_texts,
)
from .export import export_text_model
from .hard_cases import diluted, hard_cases, liked_words, sweet_words
from .heads import fit_category_heads, mean_states
from .network import OUTPUTS, CalibratedRisk, Calibration, RiskNetwork
from .tokenizer import scorer_tokenizer
from .training import head_logits, train

VALIDATION_TWINS = 500
VALIDATION_CAPTIONS = 300


@dataclass(frozen=True)
class Trained:
    """A network with its calibration, and the validation logits it was calibrated on."""

    network: RiskNetwork
    calibration: Calibration
    validation: Validation


def user_shares(texts: TrainingTexts) -> list[float]:
    """What a linear model of I2P's words predicts for users' prompts, in [0, 1]."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge

    vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    inputs = vectors.fit_transform([row["prompt"] for row in texts.i2p])
    model = Ridge(alpha=2.0).fit(inputs, [row["inappropriate_percentage"] / 100 for row in texts.i2p])
    if not texts.users:
        return []
    return [float(value) for value in model.predict(vectors.transform(texts.users)).clip(0, 1)]


def validation_examples(texts: TrainingTexts) -> list[Example]:
    """Rows to calibrate on: all of I2P's, a part of the twins and captions."""
    rows = [i2p_example(row) for row in texts.i2p]
    # Evenly, since the file is sorted by category.
    for row in texts.twins[:: max(1, len(texts.twins) // VALIDATION_TWINS)]:
        rows.append(risky_example(row["toxic"], "twins", row["category"]))
        rows.append(benign_example(row["clean"], "twins"))
    rows += [benign_example(text, "captions") for text in texts.captions[:VALIDATION_CAPTIONS]]
    return rows


def averaged(states: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of the weights of runs that started from the same encoder."""
    return {name: torch.stack([state[name] for state in states]).mean(dim=0) for name in states[0]}


def train_risk(
    source: Path, base: Path, recipe: RiskRecipe, *, report: Callable[[str], None] = print
) -> Trained:
    """Train on the training fold of `source`, starting from the BERT folder `base`.

    An eighth of the training fold is kept for calibration. Raises UsageError or ModelFileError.
    """
    fit, kept = split_validation(training_texts(source))
    favourites = [sweet_words(fit)]
    trained = _train_once(fit, kept, base, recipe, favourites, report)
    for number in range(1, recipe.rounds):
        report(f"round {number + 1} of {recipe.rounds}: the words that the scorer likes")
        favourites.append(liked_words(_exported(trained, base, recipe), fit))
        trained = _train_once(fit, kept, base, recipe, favourites, report)
    return trained


def _train_once(
    fit: TrainingTexts,
    kept: TrainingTexts,
    base: Path,
    recipe: RiskRecipe,
    favourites: Sequence[Sequence[str]],
    report: Callable[[str], None],
) -> Trained:
    tokenizer = scorer_tokenizer(base)
    prompts = prompt_examples(fit, user_shares(fit), prior=recipe.user_prior)
    sentences = sentence_examples(fit, pairs=recipe.pairs, short=recipe.short)
    for rows in (prompts, sentences):
        among_captions = diluted(rows, fit.captions, part=recipe.diluted, seed=recipe.seeds[0])
        rows += hard_cases(rows, favourites, part=recipe.hard_cases, seed=recipe.seeds[0])
        rows += among_captions
    report(f"{len(prompts)} prompts, {len(sentences)} sentences")
    settings = recipe.training

    def cached(rows: Sequence[Example]) -> Examples:
        return Examples(load_encoder(base), tokenizer, rows, settings.frozen_layers, bf16=settings.bf16)

    cached_prompts, cached_sentences = cached(prompts), cached(sentences)
    states = []
    for seed in recipe.seeds:
        report(f"seed {seed}")
        network = train(
            load_encoder(base), cached_prompts, cached_sentences, settings, seed=seed, report=report
        )
        states.append(network.state_dict())
    network = RiskNetwork(load_encoder(base))
    network.load_state_dict(averaged(states))
    report("category heads")
    written = [row for row in [*prompts, *sentences] if row.source != "user"]
    means = mean_states(network, tokenizer, [row.text for row in written], bf16=settings.bf16)
    fit_category_heads(network, means, written)
    rows = validation_examples(kept)
    validation = Validation(rows, head_logits(network, tokenizer, [row.text for row in rows]))
    return Trained(network, calibrate(validation, recipe.mix), validation)


def _exported(trained: Trained, base: Path, recipe: RiskRecipe) -> Scorer:
    """The int8 scorer, which is faster than the network and what a rewriter will be paid by."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scorer.onnx"
        export_risk(trained, base, file, recipe)
        return load_scorer(file, threads=cores())


def export_risk(trained: Trained, base: Path, target: Path, recipe: RiskRecipe) -> None:
    """Write the int8 scorer; the recipe stands in the file's metadata."""
    export_text_model(
        CalibratedRisk(trained.network, trained.calibration),
        target,
        tokenizer=scorer_tokenizer(base).to_str(),
        outputs=OUTPUTS,
        metadata={"posi.recipe": json.dumps(asdict(recipe))},
    )


def save_network(network: RiskNetwork, path: Path) -> None:
    """The float weights, safetensors: what a later training or export starts from."""
    from safetensors.torch import save

    write_atomically(path, save({name: value.contiguous() for name, value in network.state_dict().items()}))
