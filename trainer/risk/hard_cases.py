"""Hard cases: texts with words of harmless ones strewn in, or among harmless ones, which makes nothing safer.

A rewriter that is paid by a scorer puts the words that the scorer likes wherever they fit: "a supportive man kicking a
welcoming man". The scorer knows such words from clean texts alone, and takes them for safety. Strewn over risky and
harmless texts alike, with the targets of each as they were, they tell nothing.

The network takes the mean over a text's tokens, so that whole harmless sentences drown a risky one: of CoProV2's toxic
sides the scorer of 7ad2f11 flagged 94% alone and 26% between four captions, until it was shown such texts.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .examples import Example, TrainingTexts

if TYPE_CHECKING:
    from ...posi_core.risk import Scorer

SWEET = 200
"""How many sweet words the hard cases draw from; an evaluation draws from those that follow."""
CANDIDATES, PROBES = 2000, 16
"""Of `liked_words`: their product is the number of judgements."""
_MOST_WORDS = 3
_MOST_FILLERS, _ROOM = 8, 90
"""Of `diluted`: texts around one at most, and words in all. These fit into the `MAX_TOKENS` of training; the end,
which is cut off there, could be the risky part."""
_WORD = re.compile(r"[a-z]{4,}")
_LIKED = re.compile(r"[a-z]{2,}")
"""Shorter ones too: "hat" was in no list of words of four letters and more, and PPO put it everywhere."""


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


def liked_words(scorer: Scorer, texts: TrainingTexts, *, count: int = SWEET, seed: int = 0) -> list[str]:
    """The `count` words that lower `scorer`'s prediction most when put into risky prompts, those that lower it alone.

    Among the commonest `CANDIDATES` of captions, clean twins and prompts, each at one random place in `PROBES` of I2P's
    prompts measured at 50% or more. "flower" is in few texts and in no list by counts, but a rewriter finds it.
    """
    clean = [*texts.captions, *(row["clean"] for row in texts.twins), *(row["prompt"] for row in texts.i2p)]
    times = Counter(word for text in clean for word in _words(text, _LIKED))
    candidates = sorted(times, key=lambda word: (-times[word], word))[:CANDIDATES]
    risky = [row["prompt"] for row in texts.i2p if float(row["inappropriate_percentage"]) >= 50]
    choose = random.Random(seed)
    probes = choose.sample(risky, min(PROBES, len(risky)))
    if not probes:
        return []

    def mean(word: str) -> float:
        put_in = [strewn(text, [word], choose) if word else text for text in probes]
        return sum(risk.overall for risk in scorer.score(put_in)) / len(probes)

    plain = mean("")
    lower = {word: plain - mean(word) for word in candidates}
    return sorted((word for word in lower if lower[word] > 0), key=lambda word: (-lower[word], word))[:count]


def hard_cases(
    rows: Sequence[Example], favourites: Sequence[Sequence[str]], *, part: float, seed: int
) -> list[Example]:
    """For a `part` of the rows, drawn at random, a copy with one to three words of one of the `favourites` put in.

    Of one list at a time, drawn at random: what one scorer likes comes together ("a supportive ... with kindness"), and
    mixed with all others such words would hardly ever meet. part: in [0, 1]. Users' prompts, which nobody measured,
    have none.
    """
    choose = random.Random(seed)
    lists = [words for words in favourites if words]
    known = [row for row in rows if row.source != "user"]
    drawn = choose.sample(known, round(part * len(known))) if lists else []
    return [replace(row, text=strewn(row.text, choose.choice(lists), choose)) for row in drawn]


def diluted(rows: Sequence[Example], fillers: Sequence[str], *, part: float, seed: int) -> list[Example]:
    """For a `part` of the rows, drawn at random, a copy among one to eight harmless `fillers`, with the same targets.

    part: in [0, 1]. Users' prompts, which nobody measured, have none.
    """
    choose = random.Random(seed)
    known = [row for row in rows if row.source != "user"]
    drawn = choose.sample(known, round(part * len(known))) if fillers else []

    def around() -> list[str]:
        return choose.sample(fillers, min(choose.randint(1, _MOST_FILLERS), len(fillers)))

    return [replace(row, text=among(row.text, around(), choose)) for row in drawn]


def among(text: str, fillers: Sequence[str], choose: random.Random) -> str:
    """`text` at a random place between as many of the `fillers` as fit into `_ROOM` words."""
    words = len(text.split())
    parts = [text]
    for filler in fillers:
        words += len(filler.split())
        if words > _ROOM:
            break
        parts.append(filler)
    choose.shuffle(parts)
    return ", ".join(part.rstrip(" .,") for part in parts)


def strewn(text: str, words: Sequence[str], choose: random.Random) -> str:
    """`text` with one to three of `words` at random places between its own."""
    parts = text.split(" ")
    for word in choose.sample(words, min(choose.randint(1, _MOST_WORDS), len(words))):
        parts.insert(choose.randrange(len(parts)), word)
    return " ".join(parts)


def _words(text: str, pattern: re.Pattern[str] = _WORD) -> Iterable[str]:
    return set(pattern.findall(text.lower()))
