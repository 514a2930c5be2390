"""Words taken apart: s p a c e d and d.o.t.t.e.d letters, and words split by prompt syntax."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .lexicon import known, split_words
from .mapped import Edit, Mapped
from .plausible import plausibility
from .words import unleet

_LETTER = r"[A-Za-z0-9@$!€]"
# One and the same separator throughout: a character, the same one up to three times, or one between spaces.
_SPELLED = re.compile(
    rf"(?<![\w@$])(?!\d\W\d\W\d){_LETTER}(?P<sep>(?P<one>[^A-Za-z0-9\n])(?P=one){{0,2}}|\ [^\w\s,;]\ )"
    rf"{_LETTER}(?:(?P=sep){_LETTER})+(?![\w@$])"
)
_CHOICE = re.compile(r"\[([^\[\]|]{0,40})\|([^\[\]]{0,80})\]")
_WEIGHT = re.compile(r":\s?[+-]?\d*\.?\d+(?=\))")
_INSIDE = re.compile(r"(?<=[^\W\d_])(?!\((?:s|es|e|n|r)\))[()\[\]{}\\^~`\"]+(?=[^\W\d_])")
_DOT = re.compile(r"(?<=[^\W\d_])[.·•∙‧](?=[^\W\d_])")
_DOTTED = re.compile(r"(?<![\w.])[a-z]{1,6}(?:[.·•∙‧][a-z]{1,6})+(?![\w.])")
_DOMAINS = re.compile(
    r"\b(?:com|net|org|io|co|jpe?g|png|gif|webp|html?|safetensors|pt|ckpt|www|ai|art|e\.g|i\.e)\b"
)


def join_letters(mapped: Mapped, *, alternative: bool) -> Mapped:
    """Put spelled-out words together; see `normalize`."""
    mapped = mapped.edited(_unbracket(mapped.text, alternative))
    mapped = mapped.edited(Edit(*m.span(), "") for m in _INSIDE.finditer(mapped.text))
    mapped = mapped.edited(_spelled(mapped.text, alternative))
    return mapped.edited(_undot(mapped.text))


def _unbracket(text: str, alternative: bool) -> Iterator[Edit]:
    """`na[k|k]ed` to `naked` and `na(k:1.1)ed` to `na(k)ed`, where letters touch the brackets."""
    edits: list[Edit] = []
    for match in _CHOICE.finditer(text):
        touching = text[match.start() - 1 : match.start()] + text[match.end() : match.end() + 1]
        if any(char.isalpha() for char in touching):
            options = [match[1], *match[2].split("|")]
            edits.append(Edit(*match.span(), options[-1 if alternative else 0]))
    for match in _WEIGHT.finditer(text):
        if (
            text[match.start() - 1 : match.start()].isalpha()
            and text[match.end() + 1 : match.end() + 2].isalpha()
        ):
            edits.append(Edit(*match.span(), ""))
    edits.sort()
    last = 0
    for edit in edits:
        if edit.start >= last:
            yield edit
            last = edit.end


def _spelled(text: str, alternative: bool) -> Iterator[Edit]:
    """Letters spelled out: as the likeliest words in a row, or all in one as the alternative."""
    for match in _SPELLED.finditer(text):
        letters = match[0][:: 1 + len(match["sep"])]
        alphabetic = sum(char.isalpha() for char in letters)
        if alphabetic * 2 <= len(letters) or len(set(letters)) == 1:
            continue
        word = unleet(letters)
        if len(letters) < 5 and not (known(word) or plausibility(word) >= 0):
            continue
        words = split_words(word) if word.isalpha() and len(word) >= 6 else [word]
        if len(words) == 1 or alternative:
            yield Edit(*match.span(), letters)
        else:
            yield Edit(*match.span(), " ".join(words))


def _undot(text: str) -> Iterator[Edit]:
    """`na.ked` to `naked`, if that looks like a word and is no address."""
    for match in _DOTTED.finditer(text):
        word = _DOT.sub("", match[0])
        if plausibility(word) >= 4 and not _DOMAINS.search(match[0]):
            yield Edit(*match.span(), word)
