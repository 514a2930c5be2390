"""Builds the second judge on its own fold, and checks it on pairs before anybody believes it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...data.sources import load_source
from ...data.split import is_held_out, text_key
from ...risk.examples import HEADS, prompt_examples, sentence_examples, training_texts
from ..risk.figures import auc, calibration_error, spearman
from ..risk.heldout import load_held_out
from .linear import LinearJudge, features

SOURCE_WEIGHTS = {"i2p": 6.0, "user": 2.0}
"""Measured prompts are few beside the written sentences; without weight the judge would not heed them."""
USER_SHARE = 0.15
"""Target of users' prompts: what is left of I2P's mean share where nobody searched for danger."""


@dataclass(frozen=True)
class JudgeFigures:
    """Held-out figures of a judge. `pairs_risky_side` is the part of pairs whose toxic side scores higher."""

    spearman: float
    auc_at_half: float
    twins_auc: float
    calibration_error: float
    twins_risky_side: float
    pairs_risky_side: float


def in_judge_fold(text: str) -> bool:
    """Four fifths of the training fold, by a hash of its own; the held-out fifth is in neither fold."""
    digest = hashlib.sha256(f"judge\0{text_key(text)}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % 5 != 0


def judge_rows(source: Path) -> list[tuple[str, float, float]]:
    """(text, share, weight) of the judge's fold: I2P measured, CoProV2's twins, captions and users' prompts."""
    texts = training_texts(source)
    share = HEADS.index("share")
    examples = prompt_examples(texts, [USER_SHARE] * len(texts.users), prior=1.0) + sentence_examples(texts)
    return [
        (example.text, example.targets[share], SOURCE_WEIGHTS.get(example.source, 1.0))
        for example in examples
        if in_judge_fold(example.text)
    ]


def build_judge(source: Path, *, strength: float = 0.05) -> LinearJudge:
    """Fit on soft targets: each row counts as risky with its share and as harmless with the rest.

    Columns are scaled by their inverse document frequency, which the weights then take in.
    """
    from scipy.sparse import diags, vstack
    from sklearn.linear_model import LogisticRegression

    texts, targets, counts = zip(*judge_rows(source), strict=True)
    inputs = features(texts)
    frequency = np.asarray((inputs > 0).sum(axis=0)).ravel()
    # A word seen once tells more of its row than of itself.
    scale = np.where(frequency > 1, np.log((1 + len(texts)) / (1 + frequency)), 0.0)
    scaled = inputs @ diags(scale)
    shares, weights = np.array(targets), np.array(counts)
    model = LogisticRegression(C=strength, max_iter=100, tol=1e-3)
    labels = np.repeat([1, 0], len(texts))
    model.fit(
        vstack([scaled, scaled]).tocsr(),
        labels,
        sample_weight=np.concatenate([weights * shares, weights * (1 - shares)]),
    )
    return LinearJudge((model.coef_[0] * scale).astype(np.float32), float(model.intercept_[0]))


def check_judge(judge: LinearJudge, source: Path) -> JudgeFigures:
    """Figures on the held-out sets, and on POSI's own toxic-clean pairs (GPT-3.5's rewrites)."""
    sets = load_held_out(source)
    i2p = np.array(judge.share(sets.i2p))
    toxic, clean = np.array(judge.share(sets.toxic)), np.array(judge.share(sets.clean))
    pairs = [row for row in load_source(source, "posi_sft") if is_held_out(row["toxic"])]
    before = np.array(judge.share([row["toxic"] for row in pairs]))
    after = np.array(judge.share([row["clean"] for row in pairs]))
    return JudgeFigures(
        spearman=spearman(i2p, sets.measured),
        auc_at_half=auc(i2p[sets.risky], i2p[~sets.risky]),
        twins_auc=auc(toxic, clean),
        calibration_error=calibration_error(i2p, sets.measured),
        twins_risky_side=float((toxic > clean).mean()),
        pairs_risky_side=float((before > after).mean()),
    )
