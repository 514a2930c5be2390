"""Tags that hosts take out of a prompt before they read its brackets: networks and wildcards."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .cells import Kind, Mark, View

_TAG_START = re.compile(r"<(\w+):")
_WILDCARD = re.compile(r"__[\w*~](?:[\w\-/.*~]*?[\w\-/.*~])??__")
_EMBEDDING = re.compile(r"embedding:\s*[^\s,]+")
_VARIABLE = re.compile(r"\$\{\s*\w+\s*\}")
# Add-ons of ComfyUI read only these; anything else in angle brackets is text there.
COMFY_KINDS = frozenset(
    ("lora", "lyco", "locon", "hypernet", "hypernetwork", "embedding", "emb", "ti", "wlora", "wlr")
)


def split_tags(text: str, kinds: frozenset[str] | None = None) -> tuple[View, list[str], list[str]]:
    """Take `<kind:name:…>`, `__wildcard__` and `${variable}` out of `text`.

    `kinds` limits the kinds of `<…>` tags; None takes every word, as A1111's `<(\\w+):([^>]+)>` does. Gives
    the rest as a view, the names of networks, and the names of wildcards. Linear in the length of the text.
    """
    found: list[tuple[int, int]] = []
    networks: list[str] = []
    position = text.find("<")
    while position >= 0:
        match = _TAG_START.match(text, position)
        end = position + 1
        if match and (kinds is None or match[1].lower() in kinds):
            close = text.find(">", match.end())
            if close < 0:
                break
            if close > match.end():
                end = close + 1
                found.append((position, end))
                networks.append(text[match.end() : close].split(":")[0].strip())
        position = text.find("<", end)
    wildcards: list[str] = []
    inside = list(found)
    cursor = 0
    for match in _matches(text):
        while cursor < len(inside) and inside[cursor][1] <= match.start():
            cursor += 1
        if cursor < len(inside) and inside[cursor][0] < match.end():
            continue
        found.append(match.span())
        if match[0].startswith("_"):
            wildcards.append(match[0][2:-2])
    found.sort()
    return _without(text, found), networks, wildcards


def _matches(text: str) -> list[re.Match[str]]:
    matches = list(_WILDCARD.finditer(text))
    if "${" in text:
        matches = sorted([*matches, *_VARIABLE.finditer(text)], key=lambda m: m.start())
        matches = [m for i, m in enumerate(matches) if i == 0 or m.start() >= matches[i - 1].end()]
    return matches


def _without(text: str, spans: list[tuple[int, int]]) -> View:
    kept: list[str] = []
    origin: list[int] = []
    tags: list[tuple[int, str]] = []
    last = 0
    for start, end in [*spans, (len(text), len(text))]:
        kept.append(text[last:start])
        origin.extend(range(last, start))
        if end > start:
            tags.append((len(origin), text[start:end]))
        last = end
    origin.append(len(text))
    return View("".join(kept), origin, tags)


def embedding_marks(text: str, marks: Sequence[Mark]) -> list[Mark]:
    """`embedding:name` where the host looks for it: at the start of a weighted stretch, after space or newline."""
    if "embedding:" not in text:
        return []
    starts = sorted(mark.start for mark in marks)
    ends = {mark.end for mark in marks}
    found: list[Mark] = []
    cursor = 0
    for match in re.finditer("embedding:", text):
        i = match.start()
        if not (i == 0 or text[i - 1] in " \n" or i in ends):
            continue
        while cursor < len(starts) and starts[cursor] <= i:
            cursor += 1
        limit = starts[cursor] if cursor < len(starts) else len(text)
        name = _EMBEDDING.match(text, i, limit)
        if name and (not found or i >= found[-1].end):
            found.append(Mark(i, name.end(), Kind.TAG))
    return found


def as_words(name: str) -> str:
    """A tag's name as the words in it: "hair_color/red-2" -> "hair color red 2"."""
    return " ".join(re.findall(r"[^\W_]+", name))
