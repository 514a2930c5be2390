"""Words of two texts side by side: the ground that undoing and recombining changes stand on."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

_TOKEN = re.compile(r"\w+\s*|[^\w\s]\s*")
_CLOSING = ",.;:!?)"
_ARTICLE = re.compile(r"\b(a)n?(\s+)$", re.IGNORECASE)
_AN = re.compile(r"(?!uni|use|usu|eu|one\b)[aeiou]|hour|honest|heir", re.IGNORECASE)

Opcode = tuple[str, int, int, int, int]
"""As difflib's: what becomes of old[i:j], which is new[k:m] afterwards."""


def tokens(text: str) -> list[str]:
    """Words and signs with the space behind each; only space in front of the first is lost."""
    return _TOKEN.findall(text)


def aligned(old: Sequence[str], new: Sequence[str]) -> Sequence[Opcode]:
    """Stretches of equal and of different tokens, whatever the space behind them."""
    return difflib.SequenceMatcher(
        None, [token.strip() for token in old], [token.strip() for token in new], autojunk=False
    ).get_opcodes()


def opcodes(old: Sequence[str], new: Sequence[str]) -> Sequence[Opcode]:
    """As `aligned`, but tokens replaced by as many others are a change each."""
    found: list[Opcode] = []
    for tag, i, j, k, m in aligned(old, new):
        if tag == "replace" and j - i == m - k:
            found += [(tag, i + n, i + n + 1, k + n, k + n + 1) for n in range(j - i)]
        else:
            found.append((tag, i, j, k, m))
    return found


def joined(left: str, right: str) -> str:
    """Both, with a space between words that would run together and none in front of a comma."""
    if not left or not right:
        return left + right
    if left[-1].isspace() and right[0] in _CLOSING:
        return left.rstrip() + right
    if left[-1].isalnum() and right[0].isalnum():
        return f"{left} {right}"
    return left + right


def agreeing(left: str, right: str) -> str:
    """`left`, whose last word, if it is "a" or "an", is made to fit the first word of `right`: they did not stand
    together before."""
    if not right[:1].isalpha():
        return left
    return _ARTICLE.sub(lambda match: match[1] + ("n" if _AN.match(right) else "") + match[2], left)
