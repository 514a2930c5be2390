"""How long the scorer takes, as a user feels it: tokenising, readings and the network."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from ....posi_core.risk import OnnxScorer


def seconds_a_prompt(path: Path, texts: Sequence[str]) -> float:
    """Median seconds for one prompt at a time on one thread, after a warm-up."""
    scorer = OnnxScorer(path, threads=1)
    for text in texts[:5]:
        scorer.score([text])
    times = []
    for text in texts:
        start = time.perf_counter()
        scorer.score([text])
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def seconds_a_thousand(path: Path, texts: Sequence[str], *, rounds: int = 3) -> float:
    """Best seconds of a few rounds for 1,000 prompts in one call on two threads."""
    scorer = OnnxScorer(path, threads=2)
    thousand = [texts[number % len(texts)] for number in range(1000)]
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        scorer.score(thousand)
        times.append(time.perf_counter() - start)
    return min(times)
