"""The flat form that every syntax is read into: one cell a character or mark, plus the groups they form.

A tree would lose what the hosts allow: round and square brackets that overlap, groups that run over BREAK.
A list of cells keeps every byte in its place and lets groups be pairs of positions.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Literal, NamedTuple


class Kind(IntEnum):
    """What a cell is to the host."""

    TEXT = 0  # one character that the image model reads
    LOOSE = 1  # the same, but an unpaired bracket: escaped as soon as anything around it is rewritten
    HIDDEN = 2  # control characters and lone backslashes: kept, never shown
    TAG = 3  # network, embedding, wildcard: kept whole, never shown
    OPEN = 4
    CLOSE = 5
    SEP = 6  # between the options of a choice
    BREAK = 7  # AND or BREAK between chunks
    PART_WEIGHT = 8  # ":1.2" at the end of an AND part


class Cell(NamedTuple):
    kind: Kind
    raw: str  # the source, byte for byte; all cells joined give the prompt
    shown: str  # what the image model reads of it: "" or one character
    group: int = -1  # index into Layout.groups for OPEN, CLOSE and SEP


@dataclass
class Group:
    """A pair of brackets. `open`, `close` and `seps` are cell positions; `close` is -1 if it never closes."""

    kind: Literal["weight", "choice", "brace"]
    bracket: str
    leading_empty: bool = False  # [to:when] has an unwritten empty first option
    trailing_empty: bool = False
    open: int = -1
    close: int = -1
    seps: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    cells: list[Cell]
    groups: list[Group]
    networks: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()  # texts inside tags that a host without the add-on would read as prompt


class Mark(NamedTuple):
    """A stretch of the view that is syntax rather than text."""

    start: int
    end: int
    kind: Kind
    group: int = -1


@dataclass(frozen=True)
class View:
    """The prompt as the host's bracket parser sees it: without the tags that were taken out before."""

    text: str
    origin: Sequence[int]  # offset in the prompt of each character of `text`, then the prompt's length
    tags: Sequence[tuple[int, str]]  # (position in `text`, source of the tag), in order


@lru_cache(maxsize=4096)
def invisible(char: str) -> bool:
    """True for control, format and surrogate characters, which no tokenizer of an image model shows."""
    return unicodedata.category(char) in ("Cc", "Cf", "Cs") and not char.isspace()


def plain_cell(char: str) -> Cell:
    return Cell(Kind.HIDDEN, char, "") if invisible(char) else Cell(Kind.TEXT, char, char)


def assemble(
    view: View,
    marks: Sequence[Mark],
    groups: list[Group],
    escapes: Mapping[int, tuple[int, str]],
    loose: Callable[[int], bool],
) -> list[Cell]:
    """Cells of the whole prompt from what a host's reader found in the view.

    `escapes[i]` is (length, shown) of an escape at position i; a tag inside a mark or escape moves before it.
    """
    cells: list[Cell] = []
    text = view.text
    tags = list(view.tags)
    next_tag = next_mark = i = 0
    ordered = sorted(marks)
    while i < len(text):
        mark = ordered[next_mark] if next_mark < len(ordered) and ordered[next_mark].start == i else None
        length, shown = escapes.get(i, (1, ""))
        end = mark.end if mark else i + length
        while next_tag < len(tags) and tags[next_tag][0] < end:
            cells.append(Cell(Kind.TAG, tags[next_tag][1], ""))
            next_tag += 1
        if mark:
            next_mark += 1
            if mark.group >= 0:
                _place(groups[mark.group], mark.kind, len(cells))
            cells.append(Cell(mark.kind, text[i:end], "", mark.group))
        elif i in escapes:
            cells.append(Cell(Kind.TEXT if shown else Kind.HIDDEN, text[i:end], shown))
        elif loose(i):
            cells.append(Cell(Kind.LOOSE, text[i], text[i]))
        else:
            cells.append(plain_cell(text[i]))
        i = end
    cells.extend(Cell(Kind.TAG, raw, "") for _, raw in tags[next_tag:])
    return cells


def _place(group: Group, kind: Kind, position: int) -> None:
    if kind is Kind.OPEN:
        group.open = position
    elif kind is Kind.CLOSE:
        group.close = position
    else:
        group.seps.append(position)
