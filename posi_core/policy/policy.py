"""`Policy`: one frozen, validated set of rules for what may reach an image model."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from ..errors import PolicyError
from ..verdict import CATEGORIES, Risk

OnBlock = Literal["raise", "replace", "empty"]
OVERALL = "overall"
LIMIT_KEYS: tuple[str, ...] = (OVERALL, *CATEGORIES)
MAX_CANDIDATES = 8  # what the engine decodes side by side
MAX_TERMS = 1000
MAX_TEXT = 2000


@dataclass(frozen=True)
class Policy:
    """Thresholds are probabilities in [0, 1] by category and for "overall"; 1 switches a category off.

    A prompt with any risk at or over its `thresholds` is rewritten. A rewrite must stay under all of them; the
    search for a better one goes on until it is also under `accept`, which leaves a margin. Raises PolicyError
    naming the key and the allowed range. Sexual content with minors is blocked whatever stands here.
    """

    name: str
    thresholds: Mapping[str, float]
    accept: Mapping[str, float]
    on_block: OnBlock = "empty"
    replacement: str = "a calm landscape, soft light"
    blocked_terms: tuple[str, ...] = ()
    allowed_terms: tuple[str, ...] = ()
    negative_additions: str = ""
    candidates: int = 6
    rounds: int = 2
    temperature: float = 0.8
    similarity_floor: float = 0.66
    drop_words: bool = True
    undo_below: float = 0.45
    risk_price: float = 1.0
    allowed_networks: tuple[str, ...] = ()
    blocked_networks: tuple[str, ...] = ()
    only_allowed_networks: bool = False

    def __post_init__(self) -> None:
        _text("name", self.name, 1, 80)
        for key in ("thresholds", "accept"):
            object.__setattr__(self, key, _limits(key, getattr(self, key)))
        for name in LIMIT_KEYS:
            if self.accept[name] > self.thresholds[name]:
                raise PolicyError(
                    f"accept.{name} is {self.accept[name]:g}: it must not be above thresholds.{name} "
                    f"({self.thresholds[name]:g})."
                )
        if self.on_block not in get_args(OnBlock):
            raise PolicyError(f"block.on_block is {self.on_block!r}: one of {', '.join(get_args(OnBlock))}.")
        _text("block.replacement", self.replacement, 0, MAX_TEXT)
        _text("negative.additions", self.negative_additions, 0, MAX_TEXT)
        for key in ("blocked_terms", "allowed_terms", "allowed_networks", "blocked_networks"):
            object.__setattr__(self, key, _terms(key, getattr(self, key)))
        _number("rewriting.candidates", self.candidates, 1, MAX_CANDIDATES, whole=True)
        _number("rewriting.rounds", self.rounds, 0, 8, whole=True)
        _number("rewriting.temperature", self.temperature, 0.1, 2.0)
        _number("rewriting.similarity_floor", self.similarity_floor, 0.0, 1.0)
        _number("rewriting.undo_below", self.undo_below, 0.0, 1.0)
        _number("rewriting.risk_price", self.risk_price, 0.0, 10.0)
        for key in ("drop_words", "only_allowed_networks"):
            if not isinstance(getattr(self, key), bool):
                raise PolicyError(f"{key} is {getattr(self, key)!r}: true or false.")

    @cached_property
    def identity(self) -> str:
        """Name and a hash of every setting: two policies share it only if they decide alike."""
        return f"{self.name}-{hashlib.sha256(self._canonical().encode()).hexdigest()[:12]}"

    def exceeded(self, risk: Risk, *, accept: bool = False) -> list[tuple[str, float, float]]:
        """(name, value, limit) of what is at or over its limit, the furthest over first; empty means fine."""
        limits = self.accept if accept else self.thresholds
        values = {OVERALL: risk.overall, **risk.categories}
        over = [
            (name, values[name], limits[name])
            for name in LIMIT_KEYS
            if self.thresholds[name] < 1.0 and not values[name] < limits[name]  # NaN counts as over
        ]
        return sorted(over, key=lambda item: item[2] - item[1])

    def excess(self, risk: Risk) -> float:
        """How close a risk is to the thresholds: the largest value / threshold; 1 or more is over."""
        values = {OVERALL: risk.overall, **risk.categories}
        return max(
            (
                values[name] / max(self.thresholds[name], 1e-6)
                for name in LIMIT_KEYS
                if self.thresholds[name] < 1
            ),
            default=0.0,
        )

    def _canonical(self) -> str:
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return json.dumps(fields, sort_keys=True, default=dict)


def _limits(key: str, value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise PolicyError(f"{key} is {value!r}: a table with {', '.join(LIMIT_KEYS)}.")
    for name in value:
        if name not in LIMIT_KEYS:
            raise PolicyError(f"{key}.{name} is not known: use {', '.join(LIMIT_KEYS)}.")
    missing = [name for name in LIMIT_KEYS if name not in value]
    if missing:
        raise PolicyError(f"{key}.{missing[0]} is missing: a number from 0 to 1.")
    for name, number in value.items():
        _number(f"{key}.{name}", number, 0.0, 1.0)
    return {name: float(value[name]) for name in LIMIT_KEYS}


def _number(key: str, value: Any, low: float, high: float, *, whole: bool = False) -> None:
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        what = "a whole number" if whole else "a number"
        raise PolicyError(f"{key} is {value!r}: {what} from {low:g} to {high:g}.")


def _text(key: str, value: Any, shortest: int, longest: int) -> None:
    if not isinstance(value, str) or not shortest <= len(value) <= longest:
        raise PolicyError(f"{key} is {str(value)[:40]!r}: a text of {shortest} to {longest} characters.")


def _terms(key: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, (list, tuple)) or len(value) > MAX_TERMS:
        raise PolicyError(f'{key}: a list of at most {MAX_TERMS} texts, for example ["word", "two words"].')
    for term in value:
        if not isinstance(term, str) or not term.strip(" *") or len(term) > 200:
            raise PolicyError(f"{key} holds {str(term)[:40]!r}: each entry is a text of 1 to 200 characters.")
    return tuple(term.strip() for term in value)
