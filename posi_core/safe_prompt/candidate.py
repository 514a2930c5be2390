"""A rewrite of a whole prompt, judged, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .judge import Judgement

if TYPE_CHECKING:
    from ..syntax import ParsedPrompt

Rewrites = tuple[str | None, ...]
"""One entry for each segment, None = unchanged."""


@dataclass(frozen=True)
class Candidate:
    """One whole prompt as it would go out, judged. `origin` is the round that found it; `risk_price` the policy's."""

    rewrites: Rewrites
    parsed: ParsedPrompt
    judgement: Judgement
    similarity: float
    origin: str
    risk_price: float

    @property
    def text(self) -> str:
        return self.parsed.text

    @property
    def worth(self) -> float:
        """Among rewrites that are all safe enough, one a little less similar and much less risky can be the better
        one: a prompt's last risk often hangs on a single word."""
        return self.similarity - self.risk_price * self.judgement.risk.overall
