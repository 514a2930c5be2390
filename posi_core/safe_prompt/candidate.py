"""A rewrite of a whole prompt, judged, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .judge import Judgement

if TYPE_CHECKING:
    from ..syntax import ParsedPrompt

RISK_PRICE = 2.0
"""Similarity that a unit of predicted risk is worth. Among rewrites that are all safe enough, one that is a little
less similar and much less risky is the better one: a prompt's last risk often hangs on a single word."""

Rewrites = tuple[str | None, ...]
"""One entry for each segment, None = unchanged."""


@dataclass(frozen=True)
class Candidate:
    """One whole prompt as it would go out, judged. `origin` is the round that found it."""

    rewrites: Rewrites
    parsed: ParsedPrompt
    judgement: Judgement
    similarity: float
    origin: str

    @property
    def text(self) -> str:
        return self.parsed.text

    @property
    def worth(self) -> float:
        return self.similarity - RISK_PRICE * self.judgement.risk.overall
