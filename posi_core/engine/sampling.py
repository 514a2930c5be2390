"""Choosing a token from a row of logits: greedy, or sampled from what temperature, top-k and top-p leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def sample(
    logits: NDArray[np.float32], temperature: float, top_k: int, top_p: float, generator: np.random.Generator
) -> int:
    """One token by its probability. Draws one number from `generator`, whatever the logits are.

    `logits`: float32 [vocabulary]. Top-k keeps the k likeliest (0: all), top-p the smallest set of likeliest tokens
    that together reach probability p (nucleus sampling, Holtzman et al. 2020).
    """
    import numpy as np

    draw = generator.random()
    count = logits.shape[0]
    kept = min(top_k, count) if top_k > 0 else count
    # Beyond the thousand likeliest there is no probability worth sorting for.
    kept = min(kept, 1000)
    best = np.argpartition(logits, count - kept)[count - kept :] if kept < count else np.arange(count)
    order = best[np.lexsort((best, -logits[best]))]
    scaled = logits[order].astype(np.float64) / temperature
    weights = np.exp(scaled - scaled[0])
    cumulative = np.cumsum(weights)
    cumulative /= cumulative[-1]
    if top_p < 1:
        inside = int(np.searchsorted(cumulative, top_p, side="left")) + 1
        cumulative = cumulative[:inside] / cumulative[min(inside, len(cumulative)) - 1]
    return int(order[min(int(np.searchsorted(cumulative, draw, side="right")), len(cumulative) - 1)])
