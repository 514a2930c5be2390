"""What a prompter remembers between runs: verdicts by prompt, and its own outputs, which pass unchanged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PosiError
from ..policy import Policy
from ..verdict import Risk, Verdict
from .parts import Parts

if TYPE_CHECKING:
    from ..cache import Cache

RULES = "5"
"""Raised when the pipeline's own rules change, or what its models say of a text, so that older verdicts are not
recalled."""


class Memory:
    """Recalls and keeps verdicts of one policy and one set of models. Failing to do so is never an error."""

    def __init__(self, policy: Policy, parts: Parts, cache: bool | Path | Cache) -> None:
        self._policy = policy
        self._parts = parts
        # SQLite is for whoever has a prompt; ComfyUI opens the node package long before.
        from ..cache import Cache, open_cache

        self._cache = cache if isinstance(cache, Cache) else open_cache(cache) if cache else None

    def identity(self) -> str:
        """ "rewriter + scorer", by name and hash; the scorer alone while no rewriter can be opened."""
        scorer = self._parts.scorer().identity
        try:
            return f"{self._parts.rewriter().identity} + {scorer}"
        except (PosiError, ImportError):
            return scorer

    def recall(self, blank: Verdict, syntax: str) -> Verdict | None:
        """An earlier verdict on `blank.original`, or "pass" where it is an earlier output of ours."""
        if self._cache is None:
            return None
        text, identity = blank.original, self.identity()
        own = self._cache.get("output", RULES, identity, self._policy.identity, syntax, text)
        stored = own or self._cache.get("verdict", RULES, identity, self._policy.identity, syntax, text)
        if stored is None:
            return None
        try:
            if own is not None:
                risk = Risk(float(own["overall"]), {name: float(p) for name, p in own["categories"].items()})
                return replace(
                    blank,
                    text=text,
                    action="pass",
                    risk_before=risk,
                    risk_after=risk,
                    similarity=1.0,
                    reason="A rewrite of POSI's own.",
                    model=identity,
                    cached=True,
                )
            verdict = Verdict.from_dict({**stored, "original": text})
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        changes = tuple(replace(change, before=text[change.start : change.end]) for change in verdict.changes)
        return replace(verdict, changes=changes, negative=blank.negative, timings={}, cached=True)

    def keep(self, verdict: Verdict, syntax: str) -> None:
        """Store a verdict without its raw prompt, and a rewrite's text as an output of ours."""
        if self._cache is None:
            return
        key = (RULES, self.identity(), self._policy.identity, syntax)
        data = replace(verdict, negative="", timings={}).to_dict(original=False)
        self._cache.put(data, "verdict", *key, verdict.original, prompt=verdict.original)
        risk = verdict.risk_after
        if verdict.action == "rewrite" and risk is not None:
            output = {"overall": risk.overall, "categories": dict(risk.categories)}
            self._cache.put(output, "output", *key, verdict.text)

    def close(self) -> None:
        if self._cache is not None:
            self._cache.close()
