"""What the model may see: the plain text of each chunk, and where every word of it stands in the prompt."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from .cells import Cell, Kind, Layout
from .choices import Choices

# Letters with their combining marks, joined over hyphen and apostrophe; or one character of anything else.
TOKEN = re.compile(r"[\w\u0300-\u036f]+(?:['’\-][\w\u0300-\u036f]+)*|[^\w\s]")
_SHOWN = (Kind.TEXT, Kind.LOOSE)
_STOPS = (Kind.SEP, Kind.BREAK)
_MAX_PRODUCT = 8


@dataclass(frozen=True)
class Unit:
    """One or more words that stand or fall together, in cells [first, last]; usually one word.

    Only a choice inside a word (`na[k|k]ed`, `[fe|]male`) gives several: each word that it can become.
    """

    tokens: tuple[str, ...]
    first: int
    last: int
    compound: bool = False


@dataclass(frozen=True)
class Chunk:
    """The cells [start, end) between two BREAK or AND; `units` is empty where there is nothing to read."""

    start: int
    end: int
    text: str
    units: tuple[Unit, ...]


def chunks_of(layout: Layout, choices: Choices) -> tuple[Chunk, ...]:
    cells = layout.cells
    edges = [-1, *(i for i, cell in enumerate(cells) if cell.kind is Kind.BREAK), len(cells)]
    regions = _compounds(cells, choices) if choices.openings else []
    budget = [2 * len(cells) + 2000]
    return tuple(_chunk(cells, choices, regions, start + 1, end, budget) for start, end in pairwise(edges))


def _chunk(
    cells: list[Cell],
    choices: Choices,
    regions: list[tuple[int, int]],
    start: int,
    end: int,
    budget: list[int],
) -> Chunk:
    chars: list[str] = []
    source: list[int] = []  # the cell of each character, or the last cell of its compound
    compound_start: dict[int, int] = {}
    starts = {first: last for first, last in regions if start <= first < end}
    after_tag = True  # a comma left over beside a tag is not worth showing
    last_shown = ","
    i = start
    while i < end:
        if i in starts:
            last = starts[i]
            text = _expand(choices, cells, i, last, budget)
            chars.extend(text)
            source.extend([last] * len(text))
            compound_start[last] = i
            last_shown, after_tag = text[-1:], False
            i = last
        elif cells[i].kind is Kind.SEP:
            chars.append(" ")
            source.append(-1)
        elif cells[i].kind is Kind.TAG:
            after_tag = True
        elif cells[i].shown:
            shown = cells[i].shown
            if not (shown == "," and after_tag and last_shown == ","):
                chars.append(shown)
                source.append(i)
                if not shown.isspace():
                    last_shown, after_tag = shown, False
        i += 1
    return _tokenize("".join(chars), source, compound_start, start, end)


def _tokenize(text: str, source: list[int], compound_start: dict[int, int], start: int, end: int) -> Chunk:
    units: list[Unit] = []
    shown: list[str] = []
    position = 0
    for match in TOKEN.finditer(text):
        if shown and match.start() > position:
            shown.append(" ")
        position = match.end()
        shown.append(match[0])
        last = source[match.end() - 1]
        if last in compound_start:
            if units and units[-1].last == last:
                units[-1] = Unit((*units[-1].tokens, match[0]), units[-1].first, last, True)
            else:
                units.append(Unit((match[0],), compound_start[last], last, True))
        else:
            units.append(Unit((match[0],), source[match.start()], last))
    return Chunk(start, end, "".join(shown), tuple(units))


def _expand(choices: Choices, cells: list[Cell], first: int, last: int, budget: list[int]) -> str:
    """Every word that cells [first, last] can become, each once, while the budget of characters lasts."""
    lockstep = choices.size(first, last + 1, lockstep=False) > _MAX_PRODUCT
    size = choices.size(first, last + 1, lockstep=lockstep)
    texts: dict[str, None] = {}
    for k in range(size):
        text = choices.render(first, last + 1, k, lockstep=lockstep)
        budget[0] -= len(text) + 1
        if budget[0] < 0:
            bare = "".join(" " if c.kind is Kind.SEP else c.shown for c in cells[first : last + 1])
            texts[bare] = None
            break
        texts[text] = None
    return " ".join(texts)


def _compounds(cells: list[Cell], choices: Choices) -> list[tuple[int, int]]:
    """Cell ranges [first, last] of words with a choice inside, disjoint and in order."""
    before, after = _neighbours(cells)
    enclosing = choices.enclosing()

    def wordy(i: int) -> bool:
        return 0 <= i < len(cells) and cells[i].shown.isalnum()

    regions: list[tuple[int, int]] = []
    for opening in choices.openings:
        close = choices.close[opening]
        left, right = before[opening], after[close]
        for start, end in choices.options(opening):
            first, last = after[start - 1], before[end]
            empty = first >= end
            if (wordy(left) and wordy(right if empty else first)) or (
                wordy(right) and wordy(left if empty else last)
            ):
                regions.append(_widen(cells, choices, enclosing, opening))
                break
    merged: list[tuple[int, int]] = []
    for first, last in sorted(regions):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return [r for r in merged if not any(cells[i].kind is Kind.BREAK for i in range(r[0], r[1] + 1))]


def _neighbours(cells: list[Cell]) -> tuple[list[int], list[int]]:
    """For each cell the nearest one before and after it that shows a character or stops a word."""
    marks = [cell.kind in _SHOWN or cell.kind in _STOPS for cell in cells]
    before, last = [], -1
    for i, mark in enumerate(marks):
        before.append(last)
        if mark:
            last = i
    after, following = [0] * len(cells), len(cells)
    for i in range(len(cells) - 1, -1, -1):
        after[i] = following
        if marks[i]:
            following = i
    return before, after


def _widen(cells: list[Cell], choices: Choices, enclosing: list[int], opening: int) -> tuple[int, int]:
    """The whole word around a choice, and every choice that the word would otherwise cut."""
    first, last = opening, choices.close[opening]
    for i in _word_cells(cells, range(first - 1, -1, -1)):
        first = i
    for i in _word_cells(cells, range(last + 1, len(cells))):
        last = i
    while enclosing[first] != enclosing[last]:
        for outer in (enclosing[first], enclosing[last]):
            if outer >= 0 and not (outer < first and last < choices.close[outer]):
                first, last = min(first, outer), max(last, choices.close[outer])
    return first, last


def _word_cells(cells: list[Cell], order: range) -> Iterator[int]:
    for i in order:
        if cells[i].kind in _STOPS:
            return
        if cells[i].kind in _SHOWN:
            if not (cells[i].shown.isalnum() or cells[i].shown in "_'’-"):
                return
            yield i
