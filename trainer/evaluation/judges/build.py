"""Builds the second judge on its own fold, and checks it on pairs before anybody believes it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...data.sources import load_source
from ...data.split import is_held_out, text_key
from ...risk.examples import HEADS, Example, i2p_example, rest_examples, training_texts
from ..risk.figures import auc, calibration_error, spearman
from ..risk.heldout import load_held_out
from .linear import LinearJudge, features

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


def judge_rows(source: Path) -> list[tuple[str, float]]:
    """(text, share) of the judge's fold: I2P measured, CoProV2's twins, captions and users' prompts."""
    texts = training_texts(source)
    rest = rest_examples(texts, [USER_SHARE] * len(texts.users), prior=1.0)
    share = HEADS.index("share")

    def row(example: Example) -> tuple[str, float]:
        return example.text, example.targets[share]

    rows = [*map(row, map(i2p_example, texts.i2p)), *map(row, rest)]
    return [(text, value) for text, value in rows if in_judge_fold(text)]


def build_judge(source: Path, *, strength: float = 8.0) -> LinearJudge:
    """Fit on soft targets: each row counts as risky with its share and as harmless with the rest."""
    from scipy.sparse import vstack
    from sklearn.linear_model import LogisticRegression

    rows = judge_rows(source)
    inputs = features([text for text, _ in rows])
    shares = np.array([value for _, value in rows])
    model = LogisticRegression(C=strength, max_iter=200)
    labels = np.repeat([1, 0], len(rows))
    model.fit(vstack([inputs, inputs]).tocsr(), labels, sample_weight=np.concatenate([shares, 1 - shares]))
    return LinearJudge(model.coef_[0].astype(np.float32), float(model.intercept_[0]))


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
