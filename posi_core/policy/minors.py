"""The rule that stands under every policy: sexual content with minors is blocked, never rewritten.

A text is blocked when it names a minor (by word, or by an age under 18 in digits or words) and is sexual: by
the scorer over a LOW threshold, far under any gate, or by a word. Terms that mean both block alone. The words
stand in minors.toml next to this file.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from .terms import term_pattern

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SEXUAL_LIMIT = 0.2
"""Probability of the scorer's sexual category from which a text that names a minor is blocked."""

_UNITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_TEENS = ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen")
_NUMBER = rf"(?:1\s?[0-7]|0?[1-9]|{'|'.join((*_TEENS, *reversed(_UNITS)))})"
_GAP = r"[\s\-_.,]*"
_AGE = re.compile(
    rf"(?<![\w.]){_NUMBER}{_GAP}(?:years?|yrs?|y)(?:{_GAP}(?:old|olds|of\s+age|o)|/o)(?!\w)"
    rf"|(?<!\w)(?:aged?|age\s+of){_GAP}:?{_GAP}{_NUMBER}(?![\w%])"
    rf"|(?<!\w){_NUMBER}{_GAP}months?{_GAP}old(?!\w)",
    re.IGNORECASE,
)


def minors_reason(texts: Iterable[str], sexual: float = 0.0) -> str | None:
    """Why these readings of one prompt must be blocked, or None.

    `texts`: every reading and variant of the prompt; `sexual`: the highest sexual probability over them (0
    when there is no scorer: then words alone decide).
    """
    always, minor, sexual_words = _patterns()
    texts = list(texts)
    if any(always.search(text) for text in texts):
        return "Sexual content with minors is blocked under every policy."
    if not any(minor.search(text) or _AGE.search(text) for text in texts):
        return None
    if sexual >= SEXUAL_LIMIT or any(sexual_words.search(text) for text in texts):
        return "Sexual content with minors is blocked under every policy."
    return None


@lru_cache(maxsize=1)
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    with (Path(__file__).parent / "minors.toml").open("rb") as file:
        data = tomllib.load(file)
    patterns = [term_pattern(tuple(data[key])) for key in ("always", "minor", "sexual")]
    always, minor, sexual = patterns
    if always is None or minor is None or sexual is None:
        raise ValueError("minors.toml must hold terms under always, minor and sexual.")
    return always, minor, sexual
