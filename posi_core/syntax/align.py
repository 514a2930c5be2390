"""Which words of a segment stay in its rewrite, and where the new ones go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from .segments import TOKEN, Chunk

_MAX_PAIRS = 400_000  # equal pairs of words difflib may have to look at before we give up aligning the middle


@dataclass(frozen=True)
class Word:
    """A word of the rewrite, with whether whitespace stands before it."""

    text: str
    spaced: bool


@dataclass
class Placement:
    """Where the words of a rewrite go: kept[u], or instead_of[u] (none: unit u is gone), or before[u].

    `before` has one entry more than there are units. All hold indices into `words`, in order.
    """

    words: list[Word]
    kept: list[bool]
    instead_of: list[list[int]]
    before: list[list[int]]

    @property
    def unchanged(self) -> bool:
        return all(self.kept) and not any(self.before)


def words_of(text: str) -> list[Word]:
    words: list[Word] = []
    position = 0
    for match in TOKEN.finditer(text):
        words.append(Word(match[0], bool(words) and match.start() > position))
        position = match.end()
    return words


def place(chunk: Chunk, rewrite: str, depths: Sequence[int]) -> Placement:
    """Align `rewrite` with the units of `chunk`. `depths[u]` is how many brackets are around unit u."""
    words = words_of(rewrite)
    tokens = [(u, token) for u, unit in enumerate(chunk.units) for token in unit.tokens]
    blocks = _blocks([token for _, token in tokens], [word.text for word in words])
    matched = {a + i: b + i for a, b, size in blocks for i in range(size)}
    # A unit stays only if all of its words do, next to each other.
    kept = [True] * len(chunk.units)
    for index, (u, _) in enumerate(tokens):
        follows = index > 0 and tokens[index - 1][0] == u
        if index not in matched or (follows and matched[index] != matched.get(index - 1, -2) + 1):
            kept[u] = False
    spans: list[tuple[int, int]] = [(-1, -1)] * len(kept)  # words of each kept unit
    for index, (u, _) in enumerate(tokens):
        if kept[u]:
            first = matched[index] if spans[u][0] < 0 else spans[u][0]
            spans[u] = (first, matched[index] + 1)
    placement = Placement(words, kept, [[] for _ in kept], [[] for _ in range(len(kept) + 1)])
    u = word = 0
    while u <= len(kept):
        end = u
        while end < len(kept) and not kept[end]:
            end += 1
        stop = spans[end][0] if end < len(kept) else len(words)
        _distribute(placement, chunk, depths, range(u, end), range(word, stop))
        if end < len(kept):
            placement.instead_of[end] = list(range(*spans[end]))
            word = spans[end][1]
        u = end + 1
    return placement


def _distribute(
    placement: Placement, chunk: Chunk, depths: Sequence[int], units: range, words: range
) -> None:
    """New words take the places of the units they replace, in proportion; with none to replace, a gap."""
    if not units:
        placement.before[units.start].extend(words)
        return
    for n, word in enumerate(words):
        low = units.start + n * len(units) // len(words)
        high = max(low + 1, units.start + (n + 1) * len(units) // len(words))
        # A weighted word gives its weight to the replacement, punctuation does not attract words.
        best = max(
            range(low, high),
            key=lambda u: (chunk.units[u].tokens[0][0].isalnum(), depths[u], -u),
        )
        placement.instead_of[best].append(word)


def _blocks(old: list[str], new: list[str]) -> list[tuple[int, int, int]]:
    """Matching stretches (start in old, start in new, length); both ends first, then difflib in between."""
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    blocks = [(0, 0, head)] if head else []
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    if middle_old and middle_new:
        counts: dict[str, int] = {}
        for text in middle_new:
            counts[text] = counts.get(text, 0) + 1
        if sum(counts.get(text, 0) for text in middle_old) * min(len(middle_old), 50) <= _MAX_PAIRS * 50:
            matcher = SequenceMatcher(None, middle_old, middle_new, autojunk=False)
            blocks += [(head + a, head + b, n) for a, b, n in matcher.get_matching_blocks() if n]
    if tail:
        blocks.append((len(old) - tail, len(new) - tail, tail))
    return blocks
