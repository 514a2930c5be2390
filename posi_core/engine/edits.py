"""The edits that a rewriter makes again and again, as guesses for drafts.

`posi export` finds them in the model's own rewrites and writes them into the GGUF: lines of a word, a tab, and what
the model puts in its place (nothing where it leaves the word out). A wrong guess costs time and changes no text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

EDITS_KEY = "posi.edits"
MOST_BYTES = 4000
"""Of the whole list: more would not be read from the metadata."""


@dataclass(frozen=True)
class Swap:
    """At some place of a prompt: the tokens to expect there, and the place where the prompt goes on."""

    tokens: tuple[int, ...]
    after: int


class Edits:
    """The list, as tokens. `tokenize(text)` gives a text's tokens, special ones excluded."""

    def __init__(self, text: str, tokenize: Callable[[str], list[int]]) -> None:
        self._by_first: dict[int, list[tuple[tuple[int, ...], tuple[int, ...]]]] = {}
        for line in text.splitlines():
            word, tab, instead = line.partition("\t")
            if not tab or not word:
                continue
            for lead in (" ", ""):  # a word has other tokens at the start of a text than after a space
                source = tuple(tokenize(lead + word))
                target = tuple(tokenize(lead + instead)) if instead else ()
                self._by_first.setdefault(source[0], []).append((source, target))
        for known in self._by_first.values():
            known.sort(key=lambda pair: -len(pair[0]))

    def find(self, prompt: Sequence[int], starts: Callable[[int], bool]) -> dict[int, Swap]:
        """Swaps by place in `prompt`; whole words alone: what follows one has to start another, by `starts`."""
        found: dict[int, Swap] = {}
        for place, token in enumerate(prompt):
            for source, target in self._by_first.get(token, ()):
                after = place + len(source)
                whole = after == len(prompt) or (after < len(prompt) and starts(prompt[after]))
                if tuple(prompt[place:after]) == source and whole and (place == 0 or starts(token)):
                    found[place] = Swap(target, after)
                    break
        return found
