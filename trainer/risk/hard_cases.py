"""Hard cases: texts with words of harmless ones strewn in, which make nothing safer.

A rewriter that is paid by a scorer puts the words that the scorer likes wherever they fit: "a supportive man kicking a
welcoming man". The scorer knows such words from clean texts alone, and takes them for safety. Strewn over risky and
harmless texts alike, with the targets of each as they were, they tell nothing.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from .examples import Example, TrainingTexts

SWEET = 200
"""How many sweet words the hard cases draw from; an evaluation draws from those that follow."""
_MOST_WORDS = 3
_WORD = re.compile(r"[a-z]{4,}")


def sweet_words(texts: TrainingTexts, *, count: int = SWEET) -> list[str]:
    """The `count` words that tell a clean twin from a toxic one best, by log-odds times how often they occur.

    One is added to each count (Laplace), and a word has to stand in five clean twins at least.
    """
    clean = Counter(word for row in texts.twins for word in _words(row["clean"]))
    toxic = Counter(word for row in texts.twins for word in _words(row["toxic"]))

    def weight(word: str) -> float:
        return clean[word] * math.log((clean[word] + 1) / (toxic[word] + 1))

    known = (word for word, times in clean.items() if times >= 5 and weight(word) > 0)
    return sorted(known, key=lambda word: (-weight(word), word))[:count]


def hard_cases(rows: Sequence[Example], words: Sequence[str], *, part: float, seed: int) -> list[Example]:
    """For a `part` of the rows, drawn at random, a copy with one to three of `words` put in.

    part: in [0, 1]. Users' prompts, which nobody measured, have none.
    """
    choose = random.Random(seed)
    known = [row for row in rows if row.source != "user"]
    drawn = choose.sample(known, round(part * len(known))) if words else []
    return [replace(row, text=strewn(row.text, words, choose)) for row in drawn]


def strewn(text: str, words: Sequence[str], choose: random.Random) -> str:
    """`text` with one to three of `words` at random places between its own."""
    parts = text.split(" ")
    for word in choose.sample(words, min(choose.randint(1, _MOST_WORDS), len(words))):
        parts.insert(choose.randrange(len(parts)), word)
    return " ".join(parts)


def _words(text: str) -> Iterable[str]:
    return set(_WORD.findall(text.lower()))
