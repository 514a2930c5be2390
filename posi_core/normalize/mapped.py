"""A text under change that remembers where each of its characters came from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Edit(NamedTuple):
    start: int
    end: int
    text: str


class Mapped(NamedTuple):
    """`offsets[i]` is the index in the original text of character i; offsets never decrease."""

    text: str
    offsets: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> Mapped:
        return cls(text, tuple(range(len(text))))

    def edited(self, edits: Iterable[Edit]) -> Mapped:
        """With each stretch [start, end) replaced; edits are disjoint and in order.

        A new character takes the place of the one it stands for; surplus ones that of the last in the stretch.
        """
        chars: list[str] = []
        offsets: list[int] = []
        position = 0
        for start, end, text in edits:
            chars.append(self.text[position:start])
            offsets.extend(self.offsets[position:start])
            chars.append(text)
            same = end - start == len(text)
            kept = range(start, end) if same else _spread(self.text[start:end], text, start)
            offsets.extend(self.offsets[i] for i in kept)
            position = end
        if not chars:
            return self
        chars.append(self.text[position:])
        offsets.extend(self.offsets[position:])
        return Mapped("".join(chars), tuple(offsets))


def _spread(old: str, new: str, start: int) -> list[int]:
    """For each character of `new` the position of the next equal one in `old`, else of the last one used."""
    places: list[int] = []
    cursor = 0
    for char in new:
        found = old.lower().find(char.lower(), cursor)
        if found >= 0:
            places.append(start + found)
            cursor = found + 1
        else:
            places.append(start + min(cursor, len(old) - 1))
    return places
