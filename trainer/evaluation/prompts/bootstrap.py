"""Percentile bootstrap intervals (Efron 1979) over prompts, paired where two columns of one prompt are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.2f}, {self.high:.2f}]"


def mean(values: Sequence[float], *, seed: int = 0) -> Estimate:
    """Mean of `values` (at least one)."""
    import numpy as np

    data = np.asarray(values, dtype=np.float64)
    means = data[_picks(len(data), seed)].mean(axis=1)
    return _estimate(float(data.mean()), means)


def relative_drop(before: Sequence[float], after: Sequence[float], *, seed: int = 0) -> Estimate:
    """1 - mean(after) / mean(before), resampling prompts, not columns. 0 where nothing was there to drop."""
    import numpy as np

    old, new = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    picks = _picks(len(old), seed)
    olds, news = old[picks].mean(axis=1), new[picks].mean(axis=1)
    drops = np.where(olds > 0, 1 - news / np.where(olds > 0, olds, 1), 0.0)
    value = 1 - float(new.mean()) / float(old.mean()) if old.mean() > 0 else 0.0
    return _estimate(value, drops)


def _picks(count: int, seed: int) -> NDArray[np.int64]:
    import numpy as np

    return np.random.default_rng(seed).integers(0, count, size=(RESAMPLES, count))


def _estimate(value: float, samples: NDArray[np.float64]) -> Estimate:
    import numpy as np

    tail = (1 - LEVEL) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))
