"""Puts rewritten words back into the structure of a prompt, and makes sure that the host reads them so."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..errors import UsageError
from . import escape
from .align import Placement, place, words_of
from .cells import Kind, Layout
from .render import Renderer

if TYPE_CHECKING:
    from .prompt import ParsedPrompt

_UNSPOKEN = re.compile(r"[\s,]+")


def restore(
    prompt: ParsedPrompt, rewrites: Sequence[str | None], parse: Callable[[str], ParsedPrompt]
) -> str:
    """See `ParsedPrompt.restore`; `parse` reads the result back in the same syntax."""
    segments = prompt.segments
    if len(rewrites) != len(segments):
        raise UsageError(f"{len(rewrites)} rewrites for {len(segments)} segments: give one for each")
    changed = [
        None if new is None or new == old else escape.clean(new, prompt.syntax)
        for old, new in zip(segments, rewrites, strict=True)
    ]
    placements: list[Placement | None] = []
    remaining = iter(changed)
    depths = _depths(prompt.layout) if any(new is not None for new in changed) else []
    for chunk in prompt.chunks:
        new = next(remaining) if chunk.units else None
        placement = None
        if new is not None:
            placement = place(chunk, new, [depths[unit.first] for unit in chunk.units])
        placements.append(None if placement is None or placement.unchanged else placement)
    if not any(placements):
        return prompt.text
    renderer = Renderer(prompt.layout, prompt.chunks, placements, prompt.syntax)
    text = renderer.render()
    if prompt.syntax == "plain" or _reads(parse(text), prompt, "".join(renderer.said)):
        return text
    wanted = [old if new is None else new for old, new in zip(segments, changed, strict=True)]
    spoken = [_spoken(text, prompt.syntax) for text in wanted]
    text = _flat(prompt, [source for source, _ in spoken])
    if _reads(parse(text), prompt, "".join(said for _, said in spoken)):
        return text
    return _flat(prompt, [escape.bare(text) for text in wanted])


def _reads(result: ParsedPrompt, prompt: ParsedPrompt, said: str) -> bool:
    """Does the host read exactly `said` (spaces and commas apart) and the tags of the prompt?"""
    tags = [[c.raw for c in p.layout.cells if c.kind is Kind.TAG] for p in (result, prompt)]
    heard = _UNSPOKEN.sub("", "".join(result.segments))
    return heard == _UNSPOKEN.sub("", said) and tags[0] == tags[1]


def _depths(layout: Layout) -> list[int]:
    """How many brackets are open at each cell; one that never closes counts to the end."""
    depth, depths = 0, []
    for cell in layout.cells:
        if cell.kind is Kind.CLOSE:
            depth -= 1
        depths.append(depth)
        if cell.kind is Kind.OPEN:
            depth += 1
    return depths


def _spoken(text: str, syntax: str) -> tuple[str, str]:
    """`text` as source outside all brackets, and what the host reads of it."""
    words = words_of(text)
    source: list[str] = []
    heard: list[str] = []
    for i, word in enumerate(words):
        following = words[i + 1].text if i + 1 < len(words) else ""
        said = escape.said(word.text, syntax, inside=False, following=following)
        source.append((" " if word.spaced else "") + escape.source(said, syntax))
        heard.append(said)
    return "".join(source), "".join(heard)


def _flat(prompt: ParsedPrompt, texts: Sequence[str]) -> str:
    """The chunks without brackets: text, then the chunk's tags, then the weight of its AND part."""
    remaining = iter(texts)
    out: list[str] = []
    separator = ""
    for chunk in prompt.chunks:
        text = next(remaining) if chunk.units else ""
        cells = prompt.layout.cells[chunk.start : chunk.end]
        pieces = [text] if text else []
        pieces += [cell.raw for cell in cells if cell.kind is Kind.TAG]
        if text:
            pieces += [cell.raw for cell in cells if cell.kind is Kind.PART_WEIGHT]
            if separator and out:
                out.append(separator)
        out += pieces
        if chunk.end < len(prompt.layout.cells) and (text or not separator):
            separator = prompt.layout.cells[chunk.end].raw
    return " ".join(out)
