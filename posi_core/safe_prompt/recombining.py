"""A rewrite put together from the changes of several.

Each rewrite changes what is risky and, along with it, words that did no harm, and each changes other ones. Taken
alone, a change shows what it does to the risk and what it costs in similarity; the few that do most for their cost
make a rewrite that is nearer to the prompt than any of those they come from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .pieces import agreeing, aligned, joined, opcodes, tokens

MOST_CHANGES = 40
"""Changes looked at, those that most rewrites make first."""
MOST_TOGETHER = 12
LEAST_GAIN = 0.01
_FREE = 0.01
"""Added to a change's cost, so that one without any is not worth infinitely much."""


@dataclass(frozen=True)
class Edit:
    """Tokens `start` to `end` (exclusive) of a text become `new`."""

    start: int
    end: int
    new: str

    def meets(self, other: Edit) -> bool:
        """Whether both change the same tokens, or put something in at the same place."""
        same = (self.start, self.end) == (other.start, other.end)
        return same or (self.start < other.end and other.start < self.end)


class Weighed(NamedTuple):
    """What a judge says of a text. `excess`: risk relative to its limit, lower is better."""

    excess: float
    similarity: float


def edits_of(base: str, rewrites: Sequence[str]) -> list[Edit]:
    """The changes that make `rewrites` out of `base`, each once: whole stretches, and word by word where they match."""
    old = tokens(base)
    counts: Counter[Edit] = Counter()
    for rewrite in rewrites:
        new = tokens(rewrite)
        stretches = [*aligned(old, new), *opcodes(old, new)]
        counts.update({Edit(i, j, "".join(new[k:m])) for tag, i, j, k, m in stretches if tag != "equal"})
    return sorted(counts, key=lambda edit: (-counts[edit], edit.start, edit.end, edit.new))[:MOST_CHANGES]


def applied(base: str, edits: Sequence[Edit]) -> str:
    """`base` with `edits`, which must not meet each other."""
    old = tokens(base)
    text, at = base[: len(base) - len(base.lstrip())], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        for part in ("".join(old[at : edit.start]), edit.new):
            text = joined(agreeing(text, part), part)
        at = edit.end
    rest = "".join(old[at:])
    return joined(agreeing(text, rest), rest)


def recombinations(
    base: str, rewrites: Sequence[str], judge: Callable[[Sequence[str]], Sequence[Weighed | None]]
) -> list[str]:
    """Texts with more and more of the best changes of `rewrites` to `base`; every single change goes to `judge`.

    `judge` is called once, with `base` first; None is a text that may not be. Best first means by the risk taken
    away for the similarity lost, and in other texts by the risk alone.
    """
    edits = edits_of(base, rewrites)
    if not edits:
        return []
    before, *after = judge([base, *(applied(base, [edit]) for edit in edits)])
    if before is None:
        return []
    gains = {
        edit: (before.excess - found.excess, max(0.0, before.similarity - found.similarity) + _FREE)
        for edit, found in zip(edits, after, strict=True)
        if found is not None and before.excess - found.excess > LEAST_GAIN
    }
    texts: dict[str, None] = {}
    for order in (lambda edit: -gains[edit][0] / gains[edit][1], lambda edit: -gains[edit][0]):
        chosen: list[Edit] = []
        for edit in sorted(gains, key=order):
            if len(chosen) < MOST_TOGETHER and not any(edit.meets(other) for other in chosen):
                chosen.append(edit)
                texts[applied(base, chosen)] = None
    return list(texts)
