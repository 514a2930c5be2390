"""How often English words occur in prompts: tells where spelled-out words end, and words from their neighbours.

It ranks guesses and is no list of what is allowed or risky; a word missing from it is still read.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

TABLE = Path(__file__).with_name("words.txt.gz")

_LONGEST = 16
_LONGEST_RUN = 300
_UNKNOWN = -22.0


def pack(words: Mapping[str, int]) -> bytes:
    """The table for words with their counts: each word with round(2 log2(count)) as a letter, sorted.

    words.txt.gz was made by this function from the same counts as triples.gz; see `plausible.pack`.
    """
    lines = (f"{word}{chr(ord('A') + round(2 * math.log2(words[word])))}" for word in sorted(words))
    return gzip.compress("\n".join(lines).encode("ascii"), 9, mtime=0)


@lru_cache(maxsize=1)
def _levels() -> dict[str, float]:
    lines = gzip.decompress(TABLE.read_bytes()).decode("ascii").split("\n")
    counts = {line[:-1]: 2.0 ** ((ord(line[-1]) - ord("A")) / 2) for line in lines}
    total = math.log2(sum(counts.values()))
    return {word: math.log2(count) - total for word, count in counts.items()}


def known(word: str) -> bool:
    """Is `word` (lower case) in the table? Words of two letters and fewer do not count."""
    return len(word) > 2 and word in _levels()


def frequency(word: str) -> float:
    """log2 of the share of `word` among all words, or -22 (rarer than any) less 2 a letter if unknown."""
    return _levels().get(word, _UNKNOWN - 2 * len(word))


def split_words(letters: str) -> list[str]:
    """The likeliest words that make up `letters` (lower case), by the product of their shares.

    Runs of more than 300 letters are split in stretches of that length.
    """
    if len(letters) > _LONGEST_RUN:
        return split_words(letters[:_LONGEST_RUN]) + split_words(letters[_LONGEST_RUN:])
    best = [0.0] + [-math.inf] * len(letters)
    cut = [0] * (len(letters) + 1)
    for end in range(1, len(letters) + 1):
        for start in range(max(0, end - _LONGEST), end):
            score = best[start] + frequency(letters[start:end])
            if score > best[end]:
                best[end], cut[end] = score, start
    words: list[str] = []
    end = len(letters)
    while end:
        words.append(letters[cut[end] : end])
        end = cut[end]
    return words[::-1]
