"""The one answer that every door of POSI shows: `Verdict` and the plain data inside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Action = Literal["pass", "rewrite", "block"]

CATEGORIES: tuple[str, ...] = (
    "hate",
    "harassment",
    "violence",
    "self-harm",
    "sexual",
    "shocking",
    "illegal activity",
)
"""The seven categories of I2P (Schramowski et al. 2023), in the order of the scorer's outputs."""


@dataclass(frozen=True)
class WordRisk:
    """One word of a text and the part of the overall risk it carries.

    `start` and `end` are offsets in characters into the text that was scored; `share` is in [0, 1] and the
    shares of a text sum to at most 1.
    """

    word: str
    start: int
    end: int
    share: float


@dataclass(frozen=True)
class Risk:
    """Predicted risk of a text. All values are probabilities in [0, 1].

    `overall` is the predicted share of inappropriate images (I2P's measure, judged from text alone);
    `categories` has one entry for each of `CATEGORIES`; `words` is empty unless it was asked for.
    """

    overall: float
    categories: Mapping[str, float]
    words: tuple[WordRisk, ...] = ()

    @property
    def top(self) -> str:
        """The category with the highest probability."""
        return max(self.categories, key=lambda name: self.categories[name])


@dataclass(frozen=True)
class Change:
    """One stretch of words that differs: `original[start:end] == before`, `text[new_start:new_end] == after`."""

    before: str
    after: str
    start: int
    end: int
    new_start: int
    new_end: int


@dataclass(frozen=True)
class Verdict:
    """What became of one prompt.

    `text` is what may go to the image model: the input byte for byte for "pass", the verified rewrite for
    "rewrite", and for "block" the policy's replacement (often empty), never the raw prompt. `failed` tells a block
    that comes from a fault (no model, a dead worker, no time left) from one that was decided. `seconds` is wall
    time. `model` and `policy` identify what decided, and are part of every cache key.
    """

    text: str
    action: Action
    original: str
    risk_before: Risk | None = None
    risk_after: Risk | None = None
    similarity: float | None = None
    changes: tuple[Change, ...] = ()
    reason: str = ""
    seconds: float = 0.0
    model: str = ""
    policy: str = ""
    negative: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)
    cached: bool = False
    failed: bool = False

    @property
    def blocked(self) -> bool:
        return self.action == "block"

    @property
    def changed(self) -> bool:
        return self.text != self.original

    def to_dict(self, *, original: bool = True) -> dict[str, Any]:
        """Plain data for JSON. With `original=False` the raw prompt and the removed words are left out."""
        data = dataclasses.asdict(self)
        if not original:
            del data["original"]
            for change in data["changes"]:
                change["before"] = ""
            for risk in (data["risk_before"], data["risk_after"]):
                if risk is not None:
                    risk["words"] = ()
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Verdict:
        """The inverse of `to_dict()`; raises KeyError or TypeError on data of another shape."""
        fields = dict(data)
        for key in ("risk_before", "risk_after"):
            if fields.get(key) is not None:
                risk = dict(fields[key])
                risk["words"] = tuple(WordRisk(**word) for word in risk["words"])
                fields[key] = Risk(**risk)
        fields["changes"] = tuple(Change(**change) for change in fields["changes"])
        return cls(**fields)
