"""`parse()` and `ParsedPrompt`: a prompt of any host as plain text, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from ..errors import UsageError
from . import a1111, comfyui
from .cells import Layout, plain_cell
from .choices import Choices
from .segments import Chunk, chunks_of

SyntaxName = Literal["plain", "a1111", "comfyui"]


def _read_plain(text: str) -> Layout:
    return Layout([plain_cell(char) for char in text], [])


_READERS: dict[str, Callable[[str], Layout]] = {
    "plain": _read_plain,
    "a1111": a1111.read,
    "comfyui": comfyui.read,
}


@dataclass(frozen=True)
class ParsedPrompt:
    """A prompt taken apart.

    `segments` holds the plain text of each AND part and BREAK chunk that has anything to read, with single
    spaces, without tags, brackets, weights and control characters: what the rewriter may see. `flattened` is
    all of them, joined by ", ". `variants` are the texts that schedules, alternations and `{a|b}` turn the
    prompt into, at most 24 (`choices.MAX_VARIANTS`): all of them if their number allows, else as many as show
    each option once; options beyond that are still in `flattened`, which holds every option of every choice.
    `networks` are the names in `<lora:…>`, `<hypernet:…>` and `embedding:…`, in order.
    """

    text: str
    syntax: SyntaxName
    segments: tuple[str, ...]
    flattened: str
    variants: tuple[str, ...]
    networks: tuple[str, ...]
    layout: Layout = field(repr=False, compare=False)
    chunks: tuple[Chunk, ...] = field(repr=False, compare=False)

    def judged(self) -> tuple[str, ...]:
        """Every text to score, each once: flattened, segments, variants, and tag names a host might read.

        Never empty: a prompt without anything to read gives ("",).
        """
        texts = (self.flattened, *self.segments, *self.variants, *self.layout.readable)
        return tuple(dict.fromkeys(text for text in texts if text)) or ("",)

    def restore(self, rewrites: Sequence[str | None]) -> str:
        """The prompt with its segments rewritten; `rewrites[i]` replaces `segments[i]`, None leaves it.

        All None gives `text` back, byte for byte. Words that stay keep their weights, tags and escapes; a
        weight goes to what replaces its words and disappears with them; whatever a rewrite adds is text for
        the host, never syntax. Brackets of the result are balanced. Raises UsageError if the number of
        rewrites is not the number of segments.
        """
        from .restore import restore

        return restore(self, rewrites, lambda text: parse(text, self.syntax))


def parse(text: str, syntax: SyntaxName = "plain") -> ParsedPrompt:
    """Take a prompt apart as `syntax` reads it. Any string will do; UsageError on an unknown syntax name."""
    reader = _READERS.get(syntax)
    if reader is None:
        raise UsageError(f"unknown prompt syntax {syntax!r}: use one of {', '.join(get_args(SyntaxName))}")
    layout = reader(text)
    choices = Choices(layout)
    chunks = chunks_of(layout, choices)
    segments = tuple(chunk.text for chunk in chunks if chunk.units)
    return ParsedPrompt(
        text, syntax, segments, ", ".join(segments), choices.variants(), layout.networks, layout, chunks
    )
