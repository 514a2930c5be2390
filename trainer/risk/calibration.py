"""Head logits -> calibrated outputs, fitted on a validation part of the training fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...posi_core.verdict import CATEGORIES
from .examples import HEADS, Example
from .network import Calibration

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Validation:
    """Head logits [rows, heads] of validation examples, in the order of `examples`."""

    examples: Sequence[Example]
    logits: FloatArray

    def column(self, head: str) -> FloatArray:
        return self.logits[:, HEADS.index(head)]

    def targets(self, head: str) -> tuple[FloatArray, FloatArray]:
        """Targets and weights of one head."""
        place = HEADS.index(head)
        pairs = np.array([(row.targets[place], row.weights[place]) for row in self.examples])
        return pairs[:, 0], pairs[:, 1]

    def of(self, source: str) -> NDArray[np.bool_]:
        return np.array([row.source == source for row in self.examples])


def fit_platt(logits: FloatArray, targets: FloatArray, weights: FloatArray) -> tuple[float, float]:
    """Slope and offset that minimise cross-entropy against soft targets (Platt 1999), by damped Newton steps.

    One row's worth of pull towards "unchanged" keeps few or separable rows from running away.
    """
    inputs = np.stack([logits, np.ones_like(logits)], axis=1)
    beta = np.array([1.0, 0.0])
    for _ in range(100):
        predicted = 1 / (1 + np.exp(-np.clip(inputs @ beta, -30, 30)))
        gradient = inputs.T @ (weights * (predicted - targets)) + (beta - (1.0, 0.0))
        curvature = (inputs * (weights * predicted * (1 - predicted))[:, None]).T @ inputs + np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        step /= max(1.0, float(np.abs(step).max()))
        beta -= step
        if np.abs(step).max() < 1e-8:
            break
    return float(beta[0]), float(beta[1])


def calibrate(validation: Validation, mix: Mapping[str, float]) -> Calibration:
    """The map from heads to outputs.

    The overall logit is the sum of heads that `mix` weighs, stretched and shifted to the measured shares of
    I2P. Each category is its own head, fitted to all validation rows that say something about it.
    """
    measured = validation.of("i2p")
    mixed = np.sum([weight * validation.column(head) for head, weight in mix.items()], axis=0)
    targets, weights = validation.targets("share")
    slope, offset = fit_platt(mixed[measured], targets[measured], weights[measured])
    rows, bias = [[slope * mix.get(head, 0.0) for head in HEADS]], [offset]
    for name in CATEGORIES:
        slope, offset = fit_platt(validation.column(name), *validation.targets(name))
        rows.append([slope if head == name else 0.0 for head in HEADS])
        bias.append(offset)
    return Calibration(rows, bias)
