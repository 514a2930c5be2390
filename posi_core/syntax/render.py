"""Writes a prompt with some of its words replaced."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from . import escape
from .align import Placement
from .cells import Cell, Group, Kind, Layout
from .segments import Chunk, Unit

_CLOSER = {"(": ")", "[": "]", "{": "}"}
_SHOWN = (Kind.TEXT, Kind.LOOSE)


class Renderer:
    """One use: `render()` gives the text and fills `said`, the words that the host should read in it."""

    def __init__(
        self, layout: Layout, chunks: Sequence[Chunk], placements: Sequence[Placement | None], syntax: str
    ) -> None:
        self.said: list[str] = []
        self._cells, self._groups, self._syntax = layout.cells, layout.groups, syntax
        self._chunks, self._placements = chunks, placements
        self._out: list[str] = []
        self._space = False  # a space is due before the next piece that is no closing bracket
        self._open: list[str] = []  # closing brackets owed at the end of the AND part
        self._depth = 0
        self._anchors = {
            (c, u): self._anchor(unit)
            for c, (chunk, placement) in enumerate(zip(chunks, placements, strict=True))
            if placement is not None
            for u, unit in enumerate(chunk.units)
            if not placement.kept[u] and placement.instead_of[u]
        }
        self._dropped = self._dead_groups()

    def render(self) -> str:
        alive = [self._speaks(c) for c in range(len(self._chunks))]
        kept_breaks = self._kept_breaks(alive)
        for c, chunk in enumerate(self._chunks):
            placement = self._placements[c]
            if placement is None:
                self._verbatim(chunk.start, chunk.end)
                self.said += [token for unit in chunk.units for token in unit.tokens]
            elif alive[c]:
                self._chunk(c, chunk, placement)
            else:
                self._marks(self._between(chunk.start, chunk.end, weight=False))
                self._space = True
            if chunk.end < len(self._cells):
                if self._is_and(c):
                    self._close_part()
                if c in kept_breaks:
                    self._word_break(self._cells[chunk.end].raw)
        self._close_part()
        return "".join(self._out)

    # Which structure survives

    def _anchor(self, unit: Unit) -> int:
        """The cell that a replacement stands at: the innermost of the unit's, so that it inherits the weight."""
        if unit.compound:
            return unit.first
        best, best_depth, depth = unit.first, 0, 0
        for i in range(unit.first, unit.last + 1):
            cell = self._cells[i]
            depth += (cell.kind is Kind.OPEN) - (cell.kind is Kind.CLOSE)
            if cell.kind in _SHOWN and depth > best_depth:
                best, best_depth = i, depth
        return best

    def _dead_groups(self) -> set[int]:
        """Groups that had words and have none left, and choices inside a word that was replaced."""
        had, alive = [0] * len(self._cells), [0] * len(self._cells)
        broken: list[tuple[int, int]] = []
        for c, (chunk, placement) in enumerate(zip(self._chunks, self._placements, strict=True)):
            for u, unit in enumerate(chunk.units):
                kept = placement is None or placement.kept[u]
                if not kept and unit.compound:
                    broken.append((unit.first, unit.last))
                for i in range(unit.first, unit.last + 1):
                    if self._cells[i].kind in _SHOWN:
                        had[i], alive[i] = 1, int(kept)
                if (c, u) in self._anchors:
                    alive[self._anchors[c, u]] = 1
        had_sum, alive_sum = [0, *accumulate(had)], [0, *accumulate(alive)]
        inside = [-1] * len(self._cells)
        for first, last in broken:
            inside[first : last + 1] = [first] * (last + 1 - first)
        dead: set[int] = set()
        for number, group in enumerate(self._groups):
            end = group.close if group.close >= 0 else len(self._cells)
            had_words = had_sum[end] > had_sum[group.open]
            silent = had_words and alive_sum[end] == alive_sum[group.open]
            in_broken = group.close >= 0 and 0 <= inside[group.open] == inside[group.close]
            if silent or in_broken:
                dead.add(number)
        return dead

    def _speaks(self, c: int) -> bool:
        """Does anything of chunk c remain to be read? A chunk that never had words stays as it is."""
        placement = self._placements[c]
        return placement is None or any(placement.kept) or bool(placement.words)

    def _kept_breaks(self, alive: Sequence[bool]) -> set[int]:
        """The chunks whose BREAK or AND behind them stays: one goes with every chunk that has fallen silent."""
        kept: list[int] = []
        for c, speaks in enumerate(alive):
            if speaks:
                kept.append(c)
            elif kept and not (self._is_and(kept[-1]) and not self._is_and(c)):
                kept[-1] = c  # of the breaks around this chunk one stays, if need be the AND
        return set(kept[:-1])

    def _is_and(self, c: int) -> bool:
        end = self._chunks[c].end
        return end < len(self._cells) and self._cells[end].raw == "AND"

    # Writing

    def _chunk(self, c: int, chunk: Chunk, placement: Placement) -> None:
        cursor, last_word, last_unit = chunk.start, -1, -1
        for u, unit in enumerate(chunk.units):
            if not placement.instead_of[u]:
                continue
            first_word = placement.instead_of[u][0]
            fresh = range(last_word + 1, first_word)
            source_space = any(
                self._cells[i].kind is Kind.SEP or self._cells[i].shown.isspace()
                for i in range(cursor, unit.first)
            )
            same = last_unit == u - 1 and not fresh
            both_kept = placement.kept[u] and (last_unit < 0 or placement.kept[last_unit])
            if same and (both_kept or last_unit < 0 or source_space == placement.words[first_word].spaced):
                self._verbatim(cursor, unit.first)
            else:
                if last_unit < 0:
                    cursor = self._leading_space(cursor, unit.first)
                self._gap(placement, cursor, unit.first, fresh, first_word)
            self._unit(c, u, unit, placement)
            cursor, last_word, last_unit = unit.last + 1, placement.instead_of[u][-1], u
        fresh = range(last_word + 1, len(placement.words))
        if last_unit == len(chunk.units) - 1 and not fresh:
            self._verbatim(cursor, chunk.end)
        else:
            end = chunk.end
            while end > cursor and self._cells[end - 1].shown.isspace():
                end -= 1
            self._gap(placement, cursor, end, fresh, None)
            self._verbatim(end, chunk.end)

    def _leading_space(self, start: int, end: int) -> int:
        stop = start
        while stop < end and self._cells[stop].shown.isspace():
            stop += 1
        self._verbatim(start, stop)
        return stop

    def _gap(self, placement: Placement, start: int, end: int, fresh: range, following: int | None) -> None:
        """What is between two words, less the words that went, plus the new words `fresh`."""
        marks = self._between(start, end, weight=True)
        at = 0
        if fresh:
            depth, best = 0, 0
            for n, i in enumerate(marks):
                kind = self._cells[i].kind
                depth += (kind is Kind.OPEN) - (kind is Kind.CLOSE)
                if depth < best or (depth == best and kind is Kind.SEP):
                    at, best = n + 1, depth
            self._marks(marks[:at])
            option_starts = at > 0 and self._cells[marks[at - 1]].kind is Kind.SEP
            self._space = self._space or (placement.words[fresh[0]].spaced and not option_starts)
            self._words(placement, fresh)
        spaced = following is not None and (
            placement.words[following].spaced or self._tag_then_space(marks[at:], end)
        )
        self._space = self._space or spaced
        self._marks(marks[at:], spaced=spaced)

    def _tag_then_space(self, marks: Sequence[int], end: int) -> bool:
        tags = [i for i in marks if self._cells[i].kind is Kind.TAG]
        return bool(tags) and any(cell.shown.isspace() for cell in self._cells[tags[-1] : end])

    def _between(self, start: int, end: int, *, weight: bool) -> list[int]:
        wanted = (Kind.OPEN, Kind.CLOSE, Kind.SEP, Kind.TAG) + ((Kind.PART_WEIGHT,) if weight else ())
        return [
            i
            for i in range(start, end)
            if self._cells[i].kind in wanted and self._cells[i].group not in self._dropped
        ]

    def _marks(self, marks: Sequence[int], *, spaced: bool = False) -> None:
        """Write marks; `spaced` if a space belongs between them and the next word, after closing ones."""
        for i in marks:
            cell = self._cells[i]
            if cell.kind is Kind.TAG:
                wide = cell.raw.startswith("embedding:")
                if wide or (i > 0 and self._cells[i - 1].shown.isspace()):
                    self._space = bool(self._out)
                self._piece(cell)
                if wide or (i + 1 < len(self._cells) and self._cells[i + 1].shown.isspace()):
                    self._space = True
            else:
                self._bracket(i, cell)
            if spaced and cell.kind in (Kind.TAG, Kind.CLOSE):
                self._space = True

    def _bracket(self, i: int, cell: Cell) -> None:
        """Write a bracket or separator with the white space that the source has inside of it."""
        inner_end = cell.kind in (Kind.CLOSE, Kind.SEP)
        if inner_end and i > 0 and self._cells[i - 1].shown.isspace() and self._out:
            self._space = False
            if not self._out[-1][-1:].isspace():
                self._out.append(" ")
        self._piece(cell)
        inner_start = cell.kind in (Kind.OPEN, Kind.SEP)
        if inner_start and i + 1 < len(self._cells) and self._cells[i + 1].shown.isspace():
            self._space = True

    def _unit(self, c: int, u: int, unit: Unit, placement: Placement) -> None:
        if placement.kept[u]:
            self._verbatim(unit.first, unit.last + 1)
            self.said += unit.tokens
            return
        anchor = self._anchors[c, u]
        for i in range(unit.first, unit.last + 1):
            if i == anchor:
                self._words(placement, placement.instead_of[u])
            if self._cells[i].kind not in _SHOWN:
                self._marks(self._between(i, i + 1, weight=True))

    def _words(self, placement: Placement, indices: Sequence[int]) -> None:
        for n, index in enumerate(indices):
            word = placement.words[index]
            following = placement.words[index + 1].text if index + 1 < len(placement.words) else ""
            said = escape.said(word.text, self._syntax, inside=self._depth > 0, following=following)
            if word.spaced and n > 0:
                self._space = True
            if said:
                self._write(escape.source(said, self._syntax))
                self.said.append(said)

    def _verbatim(self, start: int, end: int) -> None:
        for i in range(start, end):
            cell = self._cells[i]
            if cell.group not in self._dropped or cell.group < 0:
                self._piece(cell)

    def _piece(self, cell: Cell) -> None:
        if cell.kind is Kind.OPEN:
            self._depth += 1
            group: Group = self._groups[cell.group]
            if group.close < 0:
                self._open.append(_CLOSER[group.bracket])
        elif cell.kind is Kind.CLOSE:
            self._depth -= 1
            self._out.append(cell.raw)
            return
        elif cell.kind is Kind.SEP:
            self._space = False
        elif cell.kind is Kind.PART_WEIGHT:
            self._close_part()
        self._write("\\" + cell.raw if cell.kind is Kind.LOOSE and cell.raw in "()[]" else cell.raw)

    def _write(self, text: str) -> None:
        if self._space and not text[:1].isspace() and self._out and not self._out[-1][-1:].isspace():
            self._out.append(" ")
        self._space = False
        self._out.append(text)

    def _close_part(self) -> None:
        """Close what the source left open, before the white space at the end."""
        if self._open:
            text = "".join(self._out)
            body = text.rstrip()
            self._out = [body, *reversed(self._open), text[len(body) :]]
            self._depth -= len(self._open)
            self._open.clear()

    def _word_break(self, raw: str) -> None:
        """AND or BREAK, kept apart from the words around it."""
        if self._out and (self._out[-1][-1:].isalnum() or self._out[-1][-1:] == "_"):
            self._space = True
        self._write(raw)
