"""Taking back changes of a rewrite that safety does not need: what the user said stays, as far as it may.

A rewriter that was kept from some words changes others along with them. Each such change can be undone by itself, and
a judge decides which of them may be. What the rewriter also changes when it is free can stay locked: its opinion
counts besides the judge's, who would otherwise be left alone with what he does not see.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from .pieces import agreeing, joined, opcodes, tokens

MOST_CHANGES = 24
"""Rewrites with more changes are taken as they are: hardly a word of them is the prompt's."""

Locked = Callable[[Sequence[str]], Collection[str]]
"""Which of some words must stay changed."""


def all_of(words: Sequence[str]) -> Collection[str]:
    return words


@dataclass(frozen=True)
class _Piece:
    """A stretch of both texts: equal in words, or one change."""

    old: str
    new: str
    undoable: bool


class Reversible:
    """A rewrite as a list of changes, `changes` of which can be undone one by one."""

    def __init__(
        self,
        original: str,
        rewrite: str,
        free: str | None = None,
        *,
        locked: Locked = all_of,
    ) -> None:
        """`free`: another rewrite; a change of words that it changes too and that are `locked` cannot be undone."""
        old, new = tokens(original), tokens(rewrite)
        self._lead = rewrite[: len(rewrite) - len(rewrite.lstrip())]
        lost = _lost(old, tokens(free)) if free is not None else set()
        words = locked([old[n].strip() for n in sorted(lost)]) if lost else ()
        lost = {n for n in lost if old[n].strip() in words}
        self._pieces = [
            _Piece(
                "".join(old[i:j]),
                "".join(new[k:m]),
                tag != "equal" and not any(n in lost for n in range(i, j)),
            )
            for tag, i, j, k, m in opcodes(old, new)
        ]
        self.changes = sum(piece.undoable for piece in self._pieces)

    def without(self, undone: Collection[int]) -> str:
        """The rewrite with the changes numbered in `undone` (from 0, in reading order) taken back."""
        text, number, seam, last = self._lead, 0, False, None
        for piece in self._pieces:
            undo = piece.undoable and number in undone
            number += piece.undoable
            part = piece.old if undo else piece.new
            source = None if piece.old == piece.new else undo
            if part and last is not None and source not in (None, last):
                text = agreeing(text, part)
            # Where both sides are the rewrite's, they stand as they were; elsewhere the spaces may not fit.
            text = joined(text, part) if undo or seam else text + part
            seam = undo or (seam and not part)
            last = source if part else last
        return text


def least_changed(
    original: str,
    rewrite: str,
    free: str | None,
    judge: Callable[[Sequence[str]], Sequence[float | None]],
    *,
    locked: Locked = all_of,
) -> list[str]:
    """Texts between `rewrite` and `original` that are worth a look, with fewer and fewer changes.

    `judge` gives each text a value, higher is better, or None for one that may not be. Changes are undone one at a
    time first; those whose undoing is allowed are then undone together, the best first, one more in each text. Two
    calls of `judge` at most; the texts come with no judgement since the caller's own decides. `free` is what the
    rewriter answers when nothing is kept from it: what it changes of the words that are `locked` stays changed;
    None locks no change.
    """
    reversible = Reversible(original, rewrite, free, locked=locked)
    if not 1 <= reversible.changes <= MOST_CHANGES:
        return []
    singles = [reversible.without({number}) for number in range(reversible.changes)]
    values = judge(singles)
    order = sorted(
        (number for number, value in enumerate(values) if value is not None),
        key=lambda number: (-(values[number] or 0.0), number),
    )
    together = [reversible.without(order[:count]) for count in range(2, len(order) + 1)]
    return list(dict.fromkeys([*(singles[number] for number in order[:1]), *together]))


def _lost(old: Sequence[str], new: Sequence[str]) -> set[int]:
    """Tokens of `old`, by number, that `new` does not have."""
    return {n for tag, i, j, _, _ in opcodes(old, new) if tag != "equal" for n in range(i, j)}
