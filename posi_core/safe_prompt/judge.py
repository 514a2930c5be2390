"""Judging a parsed prompt: every text it can turn into, the policy's terms, network names, and minors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..policy import Policy, matching_networks, matching_terms, minors_reason, without_terms
from ..verdict import CATEGORIES, Risk

if TYPE_CHECKING:
    from ..risk import Scorer
    from ..syntax import ParsedPrompt

NO_RISK = Risk(0.0, dict.fromkeys(CATEGORIES, 0.0))
_NAME_PARTS = re.compile(r"[\W_\d]+|(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True)
class Judgement:
    """What the judge found in one prompt.

    `risk` is the highest probability over all judged texts, by category; `segments` has the risk of each
    segment alone; `terms` are blocked terms that were found; `forbidden` is a reason that no rewrite cures.
    """

    policy: Policy
    risk: Risk
    segments: tuple[Risk, ...]
    worst: str = ""
    terms: tuple[str, ...] = ()
    forbidden: str | None = None

    @property
    def flagged(self) -> bool:
        """Over a threshold of the policy, or holding something it rules out."""
        return bool(self.forbidden or self.terms or self.policy.exceeded(self.risk))

    @property
    def accepted(self) -> bool:
        """Under the stricter `accept` limits too: no better rewrite is looked for."""
        return not (self.forbidden or self.terms or self.policy.exceeded(self.risk, accept=True))

    @property
    def excess(self) -> float:
        """Order among rewrites: the largest probability relative to its threshold."""
        return self.policy.excess(self.risk)

    def why(self) -> str:
        """One readable clause: what is over which limit."""
        if self.forbidden:
            return self.forbidden
        parts = [f"{name} {value:.2f} (limit {limit:.2f})" for name, value, limit in self.exceeded()[:3]]
        if self.terms:
            count = len(self.terms)
            parts.append("a blocked term" if count == 1 else f"{count} blocked terms")
        return ", ".join(parts)

    def exceeded(self) -> list[tuple[str, float, float]]:
        return self.policy.exceeded(self.risk)


def judge(prompts: Sequence[ParsedPrompt], policy: Policy, scorer: Scorer) -> list[Judgement]:
    """Judge parsed prompts in one batch of the scorer. Raises whatever the scorer raises."""
    texts: dict[str, int] = {}
    plans = []
    for parsed in prompts:
        forbidden, names = matching_networks(policy, parsed.networks)
        judged = parsed.judged()
        scored = [without_terms(policy.allowed_terms, text) for text in (*judged, *map(_name_words, names))]
        segments = [without_terms(policy.allowed_terms, text) for text in parsed.segments]
        for text in (*scored, *segments):
            if text.strip():
                texts.setdefault(text, len(texts))
        plans.append((judged, scored, segments, forbidden))
    risks = scorer.score(list(texts)) if texts else []
    if len(risks) != len(texts):
        raise ValueError(f"The scorer answered {len(risks)} of {len(texts)} texts.")

    def risk_of(text: str) -> Risk:
        return risks[texts[text]] if text in texts else NO_RISK

    return [
        _judgement(
            policy, judged, [(text, risk_of(text)) for text in scored], map(risk_of, segments), forbidden
        )
        for judged, scored, segments, forbidden in plans
    ]


def _judgement(
    policy: Policy,
    judged: Sequence[str],
    scored: Sequence[tuple[str, Risk]],
    segments: Iterable[Risk],
    forbidden_networks: Sequence[str],
) -> Judgement:
    risk = worst_of([risk for _, risk in scored])
    worst = max(scored, key=lambda pair: policy.excess(pair[1]))[0] if scored else ""
    readings = readings_of(judged)
    forbidden = minors_reason(readings, risk.categories["sexual"])
    if forbidden is None and forbidden_networks:
        forbidden = f"The policy does not allow the network {forbidden_networks[0][:80]!r}."
    terms = tuple(matching_terms(policy.blocked_terms, readings)) if policy.blocked_terms else ()
    return Judgement(policy, risk, tuple(segments), worst, terms, forbidden)


def worst_of(risks: Sequence[Risk]) -> Risk:
    """The highest value of each category and of the overall risk."""
    if not risks:
        return NO_RISK
    return Risk(
        max(risk.overall for risk in risks),
        {name: max(risk.categories[name] for risk in risks) for name in CATEGORIES},
    )


def readings_of(texts: Iterable[str]) -> list[str]:
    """The texts as they stand and with obfuscation undone, each once."""
    from ..normalize import readings

    return list(dict.fromkeys(reading for text in texts for reading in readings(text)))


def _name_words(name: str) -> str:
    """A network's file name as words: "nude_Style-v2" -> "nude Style v"."""
    return " ".join(part for part in _NAME_PARTS.split(name.replace("\\", "/").rsplit("/", 1)[-1]) if part)
