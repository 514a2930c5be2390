"""Single words in disguise: leet ("su1c1d3"), stretched letters ("nuuude"), starred letters ("n*ked")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import product

from .lexicon import frequency, known
from .mapped import Edit, Mapped
from .plausible import plausibility

_TOKEN = re.compile(r"(?<![^\W\d_])[A-Za-z0-9@$!|€£¢*]{3,40}(?![^\W\d_])")
_READS = {
    "0": "o",
    "1": "il",
    "2": "z",
    "3": "e",
    "4": "a",
    "5": "s",
    "6": "gb",
    "7": "t",
    "8": "b",
    "9": "g",
    "@": "a",
    "$": "s",
    "!": "il",
    "|": "il",
    "€": "e",
    "£": "l",
    "¢": "c",
    "*": "aeiou",
}
_MAX_READINGS = 256
_RUN = re.compile(r"([a-z])\1{2,}")
_DOUBLED = re.compile(r"(?:([A-Za-z])\1){3,}")
_NATURAL = re.compile(
    r"\d+(?:st|nd|rd|th|s|x|k|p|d|mm|cm|km|m|ft|in|inch|px|fps|hz|kg|lb|am|pm|yo|bit|mp|gb|tb|girls?|boys?)"
    r"|[a-z]{1,3}\d{1,2}"  # ps5, mp3, gpt4
    r"|m{0,3}(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})"  # Roman numerals
    r"|([a-z])\1*",  # xxx, aaa, www
    re.IGNORECASE,
)
_WITHIN = re.compile(r"[A-Za-z][^A-Za-z]+[A-Za-z]")
_LIST = re.compile(r"[A-Za-z]{3,}[|*][A-Za-z]{3,}")  # red|blue: no letter, but two words
_LEET_SHORT = re.compile(r"[b-df-hj-np-tv-xz][0134@!$|*]{1,2}[b-df-hj-np-tv-xz]{1,2}", re.IGNORECASE)


def read_words(mapped: Mapped, *, alternative: bool) -> Mapped:
    """Undo the disguises of single words. Where two readings look like words, `alternative` takes the second."""
    return mapped.edited(_edits(mapped.text, alternative))


def _edits(text: str, alternative: bool) -> Iterator[Edit]:
    for match in _TOKEN.finditer(text):
        word = match[0]
        start = match.start() + len(word) - len(word.lstrip("!|*"))
        word = word.strip("!|*")
        choices = decode(word)
        if choices:
            best = choices[min(1, len(choices) - 1) if alternative else 0]
            yield Edit(start, start + len(word), best)


@lru_cache(maxsize=4096)
def decode(word: str) -> tuple[str, ...]:
    """What `word` may stand for, likeliest first and at most two; () if it is no disguise.

    A reading counts if it is a word, or if all of its letter triples are English and the signs stand between
    letters; so product names, sizes and numbers stay as they are.
    """
    letters = sum(char.isalpha() for char in word)
    if len(word) < 3 or not letters:
        return ()
    stretched = bool(_RUN.search(word.lower())) or bool(_DOUBLED.fullmatch(word))
    tall_i = re.search(r"[a-z]I", word) is not None
    if not (stretched or tall_i or letters < len(word)) or _LIST.search(word):
        return ()
    short = _LEET_SHORT.fullmatch(word) is not None
    if not short and (_NATURAL.fullmatch(word) or (letters < 2 and word.isalnum())):
        return ()
    if not short and _counted(word):
        return ()
    options = [
        "li" if char == "I" and tall_i else _READS.get(char, char.lower() if char.isalpha() else "")
        for char in word
    ]
    size = 1
    for option in options:
        size *= len(option)
    if not 0 < size <= _MAX_READINGS:
        return ()
    candidates: dict[str, float] = {}
    bare_ends = letters < len(word) and not _WITHIN.search(word)  # level3, 5star: only a real word will do
    for chars in product(*options):
        for read in _unstretch("".join(chars)):
            level = plausibility(read)
            if known(read):
                candidates[read] = 100.0 + frequency(read)
            elif level >= 0 and not bare_ends:
                candidates[read] = level
    best = sorted(candidates, key=lambda c: -candidates[c])[:2]
    if best and known(best[0]):
        best = [c for c in best if known(c)]
    return tuple(c for c in best if c != word.lower())


def unleet(letters: str) -> str:
    """`letters` in lower case with the likeliest letter for each digit and sign, however many there are."""
    guesses = decode(letters)
    return guesses[0] if guesses else "".join(_READS.get(char, char.lower())[0] for char in letters)


def _counted(word: str) -> bool:
    """A number before a word, as in "4ever" or "3people"."""
    match = re.fullmatch(r"\d+([a-z]+)", word, re.IGNORECASE)
    return match is not None and known(match[1].lower())


def _unstretch(word: str) -> list[str]:
    """`word` with letters that repeat three times or more written once, and twice; all doubled ones once."""
    results = [word] if not _RUN.search(word) else []
    if _RUN.search(word):
        results = [_RUN.sub(r"\1", word), _RUN.sub(r"\1\1", word)]
    if _DOUBLED.fullmatch(word):
        results.insert(0, word[::2])
    return results
