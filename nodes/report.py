"""Verdicts as a node shows them: the payload for its widget, the JSON of its report output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..posi_core.verdict import Risk, Verdict

UI_KEY = "posi"
"""Where the front end finds what a POSI node has to show; a list with one entry a prompt."""


def risk_of(verdict: Verdict) -> float:
    """Overall risk of what goes on: 0 for a blocked prompt, since nothing of it does."""
    if verdict.blocked or verdict.risk_after is None:
        return 0.0
    return verdict.risk_after.overall


def verdicts_ui(verdicts: Sequence[Verdict]) -> dict[str, list[Any]]:
    return {UI_KEY: [{"kind": "verdict", **verdict.to_dict()} for verdict in verdicts]}


def risks_ui(texts: Sequence[str], risks: Sequence[Risk]) -> dict[str, list[Any]]:
    return {UI_KEY: [{"kind": "risk", **risk_entry(t, r)} for t, r in zip(texts, risks, strict=True)]}


def risk_entry(text: str, risk: Risk) -> dict[str, Any]:
    """One scored text as plain data; word offsets are into `text`."""
    return {
        "text": text,
        "overall": risk.overall,
        "top": risk.top,
        "categories": dict(risk.categories),
        "words": [{"word": w.word, "start": w.start, "end": w.end, "share": w.share} for w in risk.words],
    }


def as_json(entries: Sequence[dict[str, Any]], batch: bool) -> str:
    """A JSON object, or an array of them for a batch."""
    data: Any = list(entries) if batch else entries[0]
    return json.dumps(data, ensure_ascii=False, indent=2)
