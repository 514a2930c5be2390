"""Long prompts are rewritten in parts: nothing is cut off, and the parts joined are the prompt."""

from __future__ import annotations

import re
from dataclasses import dataclass

PART_BYTES = 480
"""A part has at most so many bytes of UTF-8, hence tokens: with its answer it always fits the engine's context. A
prompt of 77 CLIP tokens, the length the model was trained on, has about 350."""

_BOUNDARIES = (re.compile(r"(?<=[.!?;\n])\s+"), re.compile(r"(?<=,)\s*"), re.compile(r"\s+"))


@dataclass(frozen=True)
class Part:
    """`before` (white space, not rewritten) and then `text`; `after` is white space at the very end of the prompt."""

    before: str
    text: str
    after: str = ""


def split(text: str, most: int = PART_BYTES) -> list[Part]:
    """Parts of at most `most` bytes, cut at sentences, else commas, else spaces, else anywhere.

    "".join(before + text + after) is the text. A text of white space alone has no parts.
    """
    core = text.strip()
    if not core:
        return []
    start = text.index(core)
    parts: list[Part] = []
    before = text[:start]
    for piece in _pieces(core, most):
        body = piece.strip()
        if not body:
            before += piece
            continue
        offset = piece.index(body)
        parts.append(Part(before + piece[:offset], body))
        before = piece[offset + len(body) :]
    last = parts[-1]
    parts[-1] = Part(last.before, last.text, before + text[start + len(core) :])
    return parts


def _pieces(text: str, most: int) -> list[str]:
    """Consecutive slices of the text, each as long as `most` allows."""
    pieces = []
    while _size(text) > most:
        end = _cut(text, most)
        pieces.append(text[:end])
        text = text[end:]
    return [*pieces, text]


def _cut(text: str, most: int) -> int:
    """Where to cut: the last boundary of the best kind in the allowed length, if that leaves a fair part."""
    longest = _fitting(text, most)
    for boundary in _BOUNDARIES:
        ends = [match.end() for match in boundary.finditer(text, 0, longest) if match.end() <= longest]
        if ends and ends[-1] * 3 >= longest:
            return ends[-1]
    return longest


def _fitting(text: str, most: int) -> int:
    """Number of leading characters with at most `most` bytes, at least one."""
    size = 0
    for index, character in enumerate(text):
        size += _size(character)
        if size > most:
            return max(index, 1)
    return len(text)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
