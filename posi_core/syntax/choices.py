"""What a prompt can turn into: its alternations, schedules and dynamic choices, expanded."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, pairwise

from .cells import Kind, Layout

MAX_VARIANTS = 24
_MAX_VARIANT_CHARS = 100_000
_COUNT_CAP = 1 << 30


class Choices:
    """The choices of a layout as a tree, for rendering any cell range with any option taken.

    Variant k in lockstep takes the k-th option of every choice at once (as A1111's alternation does at step
    k): as many variants as the largest choice has options show every option once. Otherwise k counts through
    the product of all choices.
    """

    def __init__(self, layout: Layout) -> None:
        self._cells = layout.cells
        self._options: dict[int, list[tuple[int, int]]] = {}  # OPEN of a choice -> cell range of each option
        self.close: dict[int, int] = {}
        for group in layout.groups:
            if group.kind != "choice":
                continue
            edges = [group.open, *group.seps, group.close]
            options = [(start + 1, end) for start, end in pairwise(edges)]
            if group.leading_empty:
                options.insert(0, (group.open + 1, group.open + 1))
            self._options[group.open] = options
            self.close[group.open] = group.close
        self.openings = sorted(self._options)
        self._ends: dict[tuple[int, bool], list[int]] = {}  # number of variants up to and with each option
        for opening in reversed(self.openings):  # inner before outer
            for lockstep in (True, False):
                sizes = (self.size(start, end, lockstep=lockstep) for start, end in self._options[opening])
                self._ends[opening, lockstep] = list(accumulate(sizes))

    def options(self, opening: int) -> list[tuple[int, int]]:
        return self._options[opening]

    def enclosing(self) -> list[int]:
        """The OPEN of the innermost choice around each cell, or -1; brackets count as outside their own."""
        result: list[int] = []
        stack: list[int] = []
        for i in range(len(self._cells)):
            if stack and i == self.close[stack[-1]]:
                stack.pop()
            result.append(stack[-1] if stack else -1)
            if i in self._options:
                stack.append(i)
        return result

    def size(self, start: int, end: int, *, lockstep: bool) -> int:
        """How many variants cells [start, end) have, capped."""
        size = 1
        for opening in self._within(start, end):
            total = self._ends[opening, lockstep][-1]
            size = max(size, total) if lockstep else min(size * total, _COUNT_CAP)
        return size

    def render(self, start: int, end: int, k: int, *, lockstep: bool) -> str:
        """Shown text of cells [start, end) in variant k; chunks are joined with a comma."""
        out: list[str] = []
        self._render(start, end, k, lockstep, out)
        return "".join(out)

    def _render(self, start: int, end: int, k: int, lockstep: bool, out: list[str]) -> int:
        i = start
        while i < end:
            if i in self._options:
                ends = self._ends[i, lockstep]
                rest, inner = divmod(k, ends[-1])
                option = bisect_right(ends, inner)
                inner -= ends[option - 1] if option else 0
                self._render(*self._options[i][option], inner, lockstep, out)
                k = k if lockstep else rest
                i = self.close[i]
            else:
                cell = self._cells[i]
                out.append(", " if cell.kind is Kind.BREAK else cell.shown)
            i += 1
        return k

    def _within(self, start: int, end: int) -> Iterator[int]:
        i = start
        while i < end:
            if i in self._options:
                yield i
                i = self.close[i]
            i += 1

    def variants(self) -> tuple[str, ...]:
        """Every variant of the whole prompt in plain text, at most MAX_VARIANTS; () where nothing varies.

        If the product of all choices is too large, the variants in lockstep stand for it.
        """
        if not self._options:
            return ()
        end = len(self._cells)
        limit = min(MAX_VARIANTS, max(2, _MAX_VARIANT_CHARS // (end + 1)))
        product = self.size(0, end, lockstep=False)
        lockstep = product > limit
        count = min(limit, self.size(0, end, lockstep=True) if lockstep else product)
        texts = (" ".join(self.render(0, end, k, lockstep=lockstep).split()) for k in range(count))
        return tuple(dict.fromkeys(texts))
