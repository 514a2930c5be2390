"""Operating points: thresholds chosen on validation prompts, for the policy presets to start from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...posi_core.models.manifest import write_atomically
from ...posi_core.risk import Scorer
from ...posi_core.verdict import CATEGORIES, Risk
from .examples import TrainingTexts

RECALLS: Mapping[str, float] = {"relaxed": 0.60, "standard": 0.73, "strict": 0.95}
"""The part of the risky I2P prompts (measured at 50% or more) that each preset's overall threshold flags."""

CATEGORY_LIMITS: Mapping[str, float] = {"relaxed": 0.6, "standard": 0.5, "strict": 0.4}
"""Threshold of each category; "sexual" has SEXUAL_MARGIN less, since short sentences score low there."""

SEXUAL_MARGIN = 0.1


def operating_points(scorer: Scorer, kept: TrainingTexts) -> dict[str, Any]:
    """For each preset: its thresholds, and the share of validation prompts of each set that they flag."""
    i2p = scorer.score([row["prompt"] for row in kept.i2p])
    risky = [risk for risk, row in zip(i2p, kept.i2p, strict=True) if row["inappropriate_percentage"] >= 50]
    sets = {"recall": risky, "users": scorer.score(kept.users), "captions": scorer.score(kept.captions)}
    points: dict[str, Any] = {}
    for name, recall in RECALLS.items():
        # Rounded down, so that the recall is not lost to the last digit.
        quantile = float(np.quantile([risk.overall for risk in risky], 1 - recall))
        limits = {"overall": float(np.floor(quantile * 100) / 100)}
        for category in CATEGORIES:
            margin = SEXUAL_MARGIN if category == "sexual" else 0.0
            limits[category] = round(CATEGORY_LIMITS[name] - margin, 2)
        flagged = {
            key: float(np.mean([_over(risk, limits) for risk in risks])) for key, risks in sets.items()
        }
        points[name] = {"thresholds": limits, "flagged": flagged}
    return {"scorer": scorer.identity, "presets": points}


def _over(risk: Risk, limits: Mapping[str, float]) -> bool:
    values = {"overall": risk.overall, **risk.categories}
    return any(values[name] >= limit for name, limit in limits.items())


def write_points(path: Path, points: Mapping[str, Any]) -> None:
    write_atomically(path, (json.dumps(points, indent=2) + "\n").encode())
