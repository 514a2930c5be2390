"""Minimal edits: which of a pair's edits are for nothing, and the clean side without them.

GPT-3.5 rewrites harmless style words ("8 k" -> "high resolution", "trending" -> "gaining traction") and
adds praise ("captivating"). A word that most pairs keep, or that users' prompts hold often and
CoProV2's unsafe sides do not, was not replaced for safety's sake: such an edit is undone, added praise is
taken out, and what remains of a pair is what made it clean.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from .align import Edit, Words, align, compose, split_words
from .unsafe import UnsafeScorer

_PRAISE = """
    alluring amazing astonishing awe awesome beautiful beautifully breathtaking brilliant captivating
    charming dazzling delightful delightfully elegant elegantly enchanting enthralling ethereal
    exceptional exceptionally exquisite exquisitely extraordinary fantastic fascinating flawless
    flawlessly glorious gorgeous graceful gracefully impressive incredible inspiring intriguing lovely
    magical magnificent majestic marvelous mesmerizing outstanding perfect phenomenal remarkable
    spectacular splendid striking stunning stunningly sublime superb unique vibrant visually whimsical
    wonderful wondrous
"""
PRAISE = frozenset(_PRAISE.split())
_PRIOR_REMOVED, _PRIOR_SEEN = 1.0, 2.0
_KEPT_RATE, _REPLACED_RATE = 0.3, 0.65
_COMMON, _WEIGHT = 10, 0.2
_SPELLED_ALIKE = 0.85


class Harmless:
    """Tells which words no edit was needed for, from the pairs' removal rates and a scorer's word weights."""

    def __init__(self, pairs: Iterable[tuple[str, str]], benign: Iterable[str], scorer: UnsafeScorer) -> None:
        self._seen: Counter[str] = Counter()
        self._removed: Counter[str] = Counter()
        for toxic_text, clean_text in pairs:
            toxic, clean = set(split_words(toxic_text).keys), set(split_words(clean_text).keys)
            self._seen.update(toxic)
            self._removed.update(toxic - clean)
        self._benign: Counter[str] = Counter()
        for text in benign:
            self._benign.update(set(split_words(text).keys))
        self._scorer = scorer

    def rate(self, key: str) -> float:
        """Share of the OTHER pairs with this word that lost it, in [0, 1]; 0.5 for a word seen once."""
        seen, removed = self._seen[key], self._removed[key]
        if seen:
            seen, removed = seen - 1, max(0, removed - 1)
        return (removed + _PRIOR_REMOVED) / (seen + _PRIOR_SEEN)

    def __call__(self, key: str) -> bool:
        rate = self.rate(key)
        if self._scorer.names_unsafe(key):
            return False
        common = self._benign[key] >= _COMMON and self._scorer.weight(key) < _WEIGHT
        return rate < _KEPT_RATE or (common and rate < _REPLACED_RATE)


def minimal_clean(toxic_text: str, clean_text: str, harmless: Callable[[str], bool]) -> str:
    """The clean side in the toxic side's spelling, without edits that serve nothing.

    An edit is undone when every word it takes away is harmless, or when it only respells a name. Added
    praise goes where a word follows that it describes.
    """
    toxic, clean = split_words(toxic_text), split_words(clean_text)
    edits = [
        replace(edit, kept=True) if not edit.kept and _serves_nothing(edit, toxic, clean, harmless) else edit
        for edit in align(toxic, clean)
    ]
    return _AN.sub(_article, compose(toxic, clean, edits, _added_praise(toxic, clean, edits)))


def _serves_nothing(edit: Edit, toxic: Words, clean: Words, harmless: Callable[[str], bool]) -> bool:
    old, new = toxic.keys[edit.start : edit.end], clean.keys[edit.new_start : edit.new_end]
    if not old:
        return all(word in PRAISE for word in new)
    if all(harmless(word) for word in old):
        return True
    return SequenceMatcher(None, "".join(old), "".join(new), autojunk=False).ratio() >= _SPELLED_ALIKE


def _added_praise(toxic: Words, clean: Words, edits: Sequence[Edit]) -> set[int]:
    """Indices of praise among the new words that stand right before another word."""
    known = set(toxic.keys)
    return {
        index
        for edit in edits
        if not edit.kept
        for index in range(edit.new_start, edit.new_end)
        if clean.keys[index] in PRAISE - known
        and index + 1 < len(clean.words)
        and clean.gaps[index + 1] == " "
    }


_AN = re.compile(r"\b([Aa])(n?) (\w)")


def _article(match: re.Match[str]) -> str:
    """ "a" or "an" as the next letter asks, which a word left out may have changed."""
    vowel = match[3].lower() in "aeio"
    return f"{match[1]}{'n' if vowel else ''} {match[3]}"
