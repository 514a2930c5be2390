"""How much a string of letters looks like an English word: counts of its letter triples, in a 4 KB table.

Undoing leet or stretched letters leaves choices ("b100d": blood or biood, "nuude": nude or nuude). The triples
tell them apart also for words that no list has.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

TABLE = Path(__file__).with_name("triples.gz")

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_INDEX = {letter: i + 1 for i, letter in enumerate(_LETTERS)}  # 0 is the edge of a word
_SIDE = 27


def pack(words: Mapping[str, int]) -> bytes:
    """The table for words with their counts: for each triple round(log2(1 + sum of log2(1 + count))), 0 to 15.

    triples.gz was made by this function from the lower-case words of COCO captions, users' prompts, I2P
    and CoProV2 that occur at least five times.
    """
    weights = [0.0] * _SIDE**3
    for word, count in words.items():
        for triple in _triples(word):
            weights[triple] += math.log2(1 + count)
    levels = bytes(min(15, round(math.log2(1 + weight))) for weight in weights)
    return gzip.compress(levels, 9, mtime=0)


@lru_cache(maxsize=1)
def _table() -> bytes:
    return gzip.decompress(TABLE.read_bytes())


def _triples(word: str) -> list[int]:
    numbers = [0, *(_INDEX[letter] for letter in word), 0]
    return [(a * _SIDE + b) * _SIDE + c for a, b, c in zip(numbers, numbers[1:], numbers[2:], strict=False)]


@lru_cache(maxsize=4096)
def plausibility(word: str) -> float:
    """Mean level of the triples of `word` (0 to 15), less a penalty for each triple that no word has.

    A word with an unseen triple scores below 0. Only a to z (lower case) count; anything else gives -16.
    """
    if not word or any(letter not in _INDEX for letter in word):
        return -16.0
    table = _table()
    levels = [table[triple] for triple in _triples(word)]
    unseen = sum(level == 0 for level in levels)
    return sum(levels) / len(levels) - 16.0 * unseen
