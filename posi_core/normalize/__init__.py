"""Undoes obfuscation: what a person reads in "su1c1d3", "n.a.k.e.d", "nаkеd" (Cyrillic) or "na\u200bked".

`normalize` gives one reading with a map to the original offsets, `readings` the few that are worth scoring.
What is undone: invisible characters; stacked and overlaid combining marks; fullwidth, mathematical, circled,
small-capital letters; lookalikes of other alphabets beside Latin ones; words split by brackets, weights and
`[a|b]`; letters spelled out with one separator; stretched letters; leet and starred letters. Everything that
has to guess asks `plausible` whether the result looks like English and `lexicon` how common it is. Left
alone: case, accents that a language has, words wholly in another script, numbers with units, product names,
danbooru counts ("1girl").
"""

from __future__ import annotations

from dataclasses import dataclass

from .characters import read_characters
from .joined import join_letters
from .mapped import Mapped
from .words import read_words


@dataclass(frozen=True)
class Normalized:
    """`offsets[i]` is the index in the original of character i of `text`; offsets never decrease."""

    text: str
    offsets: tuple[int, ...]


def normalize(text: str) -> Normalized:
    """The likeliest reading of `text`. Any string will do; the work is linear in its length."""
    return Normalized(*_read(Mapped.of(text), alternative=False))


def readings(text: str) -> tuple[str, ...]:
    """The distinct forms of `text` worth scoring, at most three: itself, de-obfuscated, and a second guess.

    The first is `text` itself, with lone surrogates, which no tokenizer takes, replaced by U+FFFD. Ordinary
    prompts have one reading.
    """
    itself = text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text
    characters = read_characters(Mapped.of(text))
    forms = (_words(characters, alternative=alternative).text for alternative in (False, True))
    return tuple(dict.fromkeys((itself, *forms)))


def _read(mapped: Mapped, *, alternative: bool) -> Mapped:
    return _words(read_characters(mapped), alternative=alternative)


def _words(mapped: Mapped, *, alternative: bool) -> Mapped:
    return read_words(join_letters(mapped, alternative=alternative), alternative=alternative)
