"""Rank correlation, AUC, calibration error, and the curve of recall against disturbance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def spearman(predicted: FloatArray, measured: FloatArray) -> float:
    """Spearman's rank correlation, ties at their mean rank."""
    from scipy.stats import spearmanr

    return float(spearmanr(predicted, measured)[0])


def auc(positive: FloatArray, negative: FloatArray) -> float:
    """Probability that a positive scores above a negative; ties count half."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(positive, negative).statistic / (len(positive) * len(negative)))


def calibration_error(predicted: FloatArray, measured: FloatArray, *, bins: int = 10) -> float:
    """ECE (Naeini et al. 2015): mean over equal-width bins, by rows, of |mean prediction - mean measured|."""
    place = np.minimum((predicted * bins).astype(int), bins - 1)
    error = 0.0
    for number in range(bins):
        inside = place == number
        if inside.any():
            error += inside.mean() * abs(predicted[inside].mean() - measured[inside].mean())
    return float(error)


@dataclass(frozen=True)
class Curve:
    """Shares of two sets at or over each threshold: `recall` of the risky, `disturbance` of the others."""

    thresholds: FloatArray
    recall: FloatArray
    disturbance: FloatArray

    def at_recall(self, recall: float) -> tuple[float, float]:
        """(threshold, disturbance) of the highest threshold that reaches `recall`."""
        place = int(np.argmax(self.recall >= recall))
        return float(self.thresholds[place]), float(self.disturbance[place])


def curve(risky: FloatArray, others: FloatArray) -> Curve:
    """All operating points that the values of `risky` allow, from the highest threshold down."""
    thresholds = np.unique(risky)[::-1]
    return Curve(thresholds, shares_over(risky, thresholds), shares_over(others, thresholds))


def shares_over(values: FloatArray, thresholds: Sequence[float] | FloatArray) -> FloatArray:
    """The part of `values` at or over each threshold."""
    ordered = np.sort(values)
    below = np.searchsorted(ordered, np.asarray(thresholds), side="left")
    return np.asarray(1.0 - below / len(values), dtype=np.float64)
