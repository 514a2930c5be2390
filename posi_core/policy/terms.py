"""The policy's own words: blocked and allowed terms in a text, allowed and blocked network names.

A term is matched as whole words, whatever the case and however many spaces stand between its words; `*` at
its end or start stands for any letters ("gore*" finds "gorefest"). Network names use the same star.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from .policy import Policy


def matching_terms(terms: tuple[str, ...], texts: Iterable[str]) -> list[str]:
    """The parts of `texts` that a term matches, in order, without repeats."""
    pattern = term_pattern(terms)
    if pattern is None:
        return []
    return list(dict.fromkeys(match.group() for text in texts for match in pattern.finditer(text)))


def without_terms(terms: tuple[str, ...], text: str) -> str:
    """The text with every match of a term taken out (what the scorer sees of allowed terms)."""
    pattern = term_pattern(terms)
    if pattern is None:
        return text
    return " ".join(pattern.sub(" ", text).split()) if pattern.search(text) else text


def matching_networks(policy: Policy, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """(forbidden, to be judged): names the policy rules out, and names it says nothing about."""
    forbidden: list[str] = []
    judged: list[str] = []
    for name in dict.fromkeys(names):
        if _network_match(policy.blocked_networks, name):
            forbidden.append(name)
        elif not _network_match(policy.allowed_networks, name):
            (forbidden if policy.only_allowed_networks else judged).append(name)
    return forbidden, judged


@lru_cache(maxsize=64)
def term_pattern(terms: tuple[str, ...]) -> re.Pattern[str] | None:
    """One pattern for all terms, longest first; None when there are none."""
    parts = []
    for term in sorted(set(terms), key=lambda term: (-len(term), term)):
        words = [re.escape(word).replace(r"\*", r"\w*") for word in term.split()]
        parts.append(r"\s+".join(words))
    return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)", re.IGNORECASE) if parts else None


def _network_match(patterns: tuple[str, ...], name: str) -> bool:
    return any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), name, re.IGNORECASE | re.DOTALL)
        for pattern in patterns
    )
