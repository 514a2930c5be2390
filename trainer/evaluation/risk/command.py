"""What `posi eval risk` does: score, measure, write, and say what was missed."""

from __future__ import annotations

from pathlib import Path

from ....posi_core.models import find
from ....posi_core.risk import OnnxScorer
from .calming import risk_left
from .heldout import load_held_out
from .report import figures, score_held_out, table, write_report
from .speed import seconds_a_prompt, seconds_a_thousand


def run_eval_risk(source: Path, out: Path, *, model: Path | None = None, limit: int | None = None) -> str:
    """Write the report into `out` and return its table. Raises UsageError, ModelFileError or ScorerError."""
    path = find("risk", model)
    sets = load_held_out(source, limit=limit)
    scorer = OnnxScorer(path)
    scored = score_held_out(scorer, sets)
    found = figures(sets, scored)
    mixed = [text for trio in zip(sets.i2p, sets.users, sets.captions, strict=False) for text in trio]
    times = {
        "prompt": seconds_a_prompt(path, mixed[:300]),
        "thousand": seconds_a_thousand(path, mixed),
    }
    risky = [text for text, is_risky in zip(sets.i2p, sets.risky, strict=True) if is_risky]
    left = risk_left(scorer, risky, sets.captions)
    write_report(out, sets, scored, found, scorer, times, left)
    return table(found, times, left)
