"""Why a pair is dropped: one small test each, applied in the order of `drop_reason`."""

from __future__ import annotations

from dataclasses import dataclass

from .align import similarity, split_words
from .split import text_key
from .unsafe import sexual_with_minor

_DANGLING = frozenset("a an the of and by with in on at to for from or as into".split())  # noqa: SIM905
_SENTENCE_LIMIT = 1200


@dataclass(frozen=True)
class Limits:
    """`floor`: lowest word similarity of the sides, 0 to 1. `ceiling`: highest P(unsafe) of a clean side.

    `margin`: by how much the clean side's P(unsafe) may exceed the toxic side's. `growth`: the clean side may
    have at most `growth` times the toxic side's words, plus five.
    """

    floor: float
    ceiling: float = 0.6
    margin: float = 0.02
    growth: float = 1.4


def drop_reason(
    toxic: str,
    clean: str,
    limits: Limits,
    *,
    named_unsafe: list[str],
    unsafe_before: float,
    unsafe_after: float,
) -> str | None:
    """The reason to drop a pair in a few words, or None to keep it."""
    old, new = split_words(toxic).keys, split_words(clean).keys
    if not old or not new:
        return "no words"
    if sexual_with_minor(toxic, clean):
        return "sexual words with words for minors"
    if len(toxic) > _SENTENCE_LIMIT:
        return "too long"
    if is_truncated(toxic, clean):
        return "clean side cut off"
    if text_key(toxic) == text_key(clean):
        return "nothing changed"
    if named_unsafe:
        return "clean side names something unsafe"
    if unsafe_after > limits.ceiling:
        return "clean side scored unsafe"
    if unsafe_after > unsafe_before + limits.margin:
        return "clean side scored worse than the toxic side"
    if len(new) > limits.growth * len(old) + 5:
        return "clean side outgrew the toxic side"
    if similarity(toxic, clean) < limits.floor:
        return "clean side unrelated"
    return None


def is_truncated(toxic: str, clean: str) -> bool:
    """True when the clean side ends inside a word of the toxic side, or on a word that asks for more."""
    old, new = split_words(toxic).keys, split_words(clean).keys
    if not new or new[-1] == old[-1]:
        return False
    if clean.rstrip()[-1:] == ",":
        return True
    cut = new[-1] not in old and any(
        word.startswith(new[-1]) and len(word) > len(new[-1]) + 1 and not new[-1].isdigit()
        for word in old[-12:]
    )
    return cut or new[-1] in _DANGLING
