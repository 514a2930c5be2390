"""Word-level work on prompts: the diff shown to the user, and taking risky words out without leaving debris."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from ..verdict import Change, WordRisk

_TOKEN = re.compile(r"\w+|[^\w\s]")
_GAP = "\x00"
_LINK = (
    "of|in|on|with|by|at|for|from|to|and|or|as|into|onto|under|over|near|through|behind|beside|between|"
    "without|while|who|that|which|is|are|being"
)
_DANGLING_ARTICLE = re.compile(rf"\b(?:an?|the)\s*{_GAP}\s*(?=[^\w\s{_GAP}]|$|(?:{_LINK})\b)", re.IGNORECASE)
_DANGLING_LINK = re.compile(rf"\b(?:{_LINK})\s*{_GAP}\s*(?=[^\w\s{_GAP}]|$|(?:{_LINK})\b)", re.IGNORECASE)
_LINK_THEN_AND = re.compile(rf"\b({_LINK})(\s*){_GAP}\s*(?:and|or)\s+", re.IGNORECASE)
_LEADING_LINK = re.compile(rf"(^|[,;.])\s*{_GAP}\s*(?:of|and|or|with|by|in|on)\s+", re.IGNORECASE)
_TWO_GAPS = re.compile(rf"{_GAP}[\s{_GAP}]*{_GAP}")
_TWO_COMMAS = re.compile(rf"([,;])\s*{_GAP}\s*[,;]")
_LONE_HYPHEN = re.compile(rf"{_GAP}\s*-\s*|\s*-\s*{_GAP}")
_ARTICLE = re.compile(rf"\b(a)n?(\s+){_GAP}\s*(?=(\w))", re.IGNORECASE)
MAX_DIFF_TOKENS = 3000


def changes_between(original: str, text: str) -> tuple[Change, ...]:
    """Stretches of words that differ, with offsets into both texts, in order.

    Texts of more than 3,000 words and signs are shown as one change, since the comparison is quadratic.
    """
    if original == text:
        return ()
    old = [match.span() for match in _TOKEN.finditer(original)]
    new = [match.span() for match in _TOKEN.finditer(text)]
    if max(len(old), len(new)) > MAX_DIFF_TOKENS:
        return (Change(original, text, 0, len(original), 0, len(text)),)
    matcher = difflib.SequenceMatcher(
        None, [original[a:b] for a, b in old], [text[a:b] for a, b in new], autojunk=False
    )
    changes = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            start, end = _stretch(old, i1, i2, len(original))
            new_start, new_end = _stretch(new, j1, j2, len(text))
            before, after = original[start:end], text[new_start:new_end]
            changes.append(Change(before, after, start, end, new_start, new_end))
    return tuple(changes)


def without_words(text: str, words: Sequence[WordRisk]) -> str:
    """`text` without `words` (offsets into it), with articles, commas and prepositions left dangling removed."""
    pieces, at = [], 0
    for word in sorted(words, key=lambda word: word.start):
        if word.start >= at:
            pieces.append(text[at : word.start])
            at = word.end
    marked = _GAP.join([*(piece.replace(_GAP, " ") for piece in pieces), text[at:].replace(_GAP, " ")])
    while True:
        tidied = _TWO_GAPS.sub(_GAP, marked)
        tidied = _LONE_HYPHEN.sub(f" {_GAP} ", tidied)
        tidied = _TWO_COMMAS.sub(rf"\1{_GAP}", tidied)
        tidied = _DANGLING_ARTICLE.sub(f"{_GAP} ", tidied)
        tidied = _LINK_THEN_AND.sub(rf"\1\2{_GAP}", tidied)
        tidied = _DANGLING_LINK.sub(f"{_GAP} ", tidied)
        tidied = _LEADING_LINK.sub(rf"\1 {_GAP}", tidied)
        if tidied == marked:
            break
        marked = tidied
    marked = _ARTICLE.sub(_agreeing_article, marked)
    spaced = re.sub(r"[ \t]*" + _GAP + r"[ \t]*", " ", marked)
    spaced = re.sub(r" +([,;.!?])", r"\1", spaced)
    return re.sub(r"^[\s,;.]+|[\s,;]+$", "", re.sub(r" {2,}", " ", spaced))


def words_in(original: str, words: Sequence[WordRisk]) -> tuple[WordRisk, ...]:
    """`words` of a text derived from `original` with offsets into `original`; words not found there are left out."""
    found, at = [], 0
    for word in sorted(words, key=lambda word: word.start):
        start = original.find(word.word, at)
        if start >= 0 and word.word:
            at = start + len(word.word)
            found.append(WordRisk(word.word, start, at, word.share))
    return tuple(found)


def _stretch(spans: Sequence[tuple[int, int]], first: int, last: int, length: int) -> tuple[int, int]:
    if first < last:
        return spans[first][0], spans[last - 1][1]
    point = spans[first][0] if first < len(spans) else length
    return point, point


def _agreeing_article(match: re.Match[str]) -> str:
    article = match.group(1) + ("n" if match.group(3).lower() in "aeiou" else "")
    return f"{article}{match.group(2)}{_GAP}"
