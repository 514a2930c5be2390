"""Word alignment of a toxic prompt and its clean side, the clean side spelled as the toxic one.

GPT-3.5 respells for nothing: "4 k" -> "4K", "greg rutkowski" -> "Greg Rutkowski".
A model trained on that learns to respell instead of to copy. Words are therefore compared without case and
accents, and wherever both sides agree the toxic side's characters are taken, separators included.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORD = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True)
class Words:
    """A text cut into words and what stands between: `gaps[i]` precedes `words[i]`, the last one ends it.

    Digits and letters are apart ("4k" is two words with an empty gap); `keys` are the words as compared.
    """

    words: tuple[str, ...]
    gaps: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Edit:
    """`toxic.words[start:end]` became `clean.words[new_start:new_end]`; the edits of a pair cover both texts.

    `kept` takes the toxic side's words: the keys agree, or an edit was undone.
    """

    kept: bool
    start: int
    end: int
    new_start: int
    new_end: int


def split_words(text: str) -> Words:
    words: list[str] = []
    gaps: list[str] = []
    position = 0
    for match in _WORD.finditer(text):
        gaps.append(text[position : match.start()])
        words.append(match.group())
        position = match.end()
    gaps.append(text[position:])
    return Words(tuple(words), tuple(gaps), tuple(_key(word) for word in words))


def _key(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character)) or word


def align(toxic: Words, clean: Words) -> list[Edit]:
    matcher = SequenceMatcher(None, toxic.keys, clean.keys, autojunk=False)
    return [Edit(tag == "equal", *span) for tag, *span in matcher.get_opcodes()]


def similarity(toxic: str, clean: str) -> float:
    """Share of words in common, in order: 2 * matches / (words of both), in [0, 1]."""
    return SequenceMatcher(None, split_words(toxic).keys, split_words(clean).keys, autojunk=False).ratio()


def compose(toxic: Words, clean: Words, edits: Sequence[Edit], without: Collection[int] = ()) -> str:
    """The text that the edits lead to, in the toxic side's spelling wherever the two sides agree.

    `without` holds indices of clean words to leave out; the gap before such a word stays, the next one goes.
    """
    parts: list[str] = []
    previous: int | None = -1  # index of the toxic word last written, None after a clean word
    dropped_gap: str | None = None
    for edit in edits:
        if edit.kept:
            for index in range(edit.start, edit.end):
                gap = toxic.gaps[index]
                if not parts:
                    gap = toxic.gaps[0]
                elif previous != index - 1:
                    gap = dropped_gap or _border(gap, clean.gaps[edit.new_start])
                parts += [gap, toxic.words[index]]
                previous, dropped_gap = index, None
            continue
        for index in range(edit.new_start, edit.new_end):
            gap = clean.gaps[index]
            if index == edit.new_start and edit.start < len(toxic.words):
                gap = _border(toxic.gaps[edit.start], gap) if parts else toxic.gaps[0]
            gap = gap if dropped_gap is None else dropped_gap
            previous = None
            if index in without:
                dropped_gap = gap
                continue
            dropped_gap = None
            parts += [gap, _lower_like(toxic, clean.words[index]) if len(parts) == 0 else clean.words[index]]
    ended_alike = previous == len(toxic.words) - 1 or not clean.gaps[-1].strip(" .!")
    return "".join([*parts, toxic.gaps[-1] if ended_alike else clean.gaps[-1]])


def _border(old: str, new: str) -> str:
    """The gap at an edit's border: the toxic side's if both hold the same signs, else the clean one's."""
    return old if old.strip() == new.strip() and bool(old) == bool(new) else new


def _lower_like(toxic: Words, word: str) -> str:
    """A first word that is capitalised only since it begins the sentence, in the toxic side's manner."""
    begins_low = bool(toxic.words) and toxic.words[0].islower()
    return word.lower() if begins_low and word[1:] == word[1:].lower() else word
