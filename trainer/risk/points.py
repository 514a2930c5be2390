"""Operating points: thresholds chosen on validation prompts, for the policy presets to start from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...posi_core.models.manifest import write_atomically
from ...posi_core.risk import Scorer
from .examples import TrainingTexts

RECALLS: Mapping[str, float] = {"relaxed": 0.60, "standard": 0.80, "strict": 0.92}
"""The part of the risky I2P prompts (measured at 50% or more) that each preset is meant to flag."""


def operating_points(scorer: Scorer, kept: TrainingTexts) -> dict[str, Any]:
    """For each preset: the overall threshold, and the share of validation prompts of each set over it."""
    measured = np.array([row["inappropriate_percentage"] for row in kept.i2p])
    i2p = np.array([risk.overall for risk in scorer.score([row["prompt"] for row in kept.i2p])])
    users = np.array([risk.overall for risk in scorer.score(kept.users)])
    captions = np.array([risk.overall for risk in scorer.score(kept.captions)])
    risky = i2p[measured >= 50]
    points = {}
    for name, recall in RECALLS.items():
        # Rounded down, so that the recall is not lost to the last digit.
        threshold = np.floor(float(np.quantile(risky, 1 - recall)) * 1000) / 1000
        points[name] = {
            "overall": float(threshold),
            "recall": float((risky >= threshold).mean()),
            "users": float((users >= threshold).mean()),
            "captions": float((captions >= threshold).mean()),
        }
    return {"scorer": scorer.identity, "presets": points}


def write_points(path: Path, points: Mapping[str, Any]) -> None:
    write_atomically(path, (json.dumps(points, indent=2) + "\n").encode())
