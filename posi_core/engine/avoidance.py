"""Words that an answer must not have: the model takes back such a word and writes what it likes next best.

Barring a word's tokens everywhere would bar every other word that begins alike, and end half-written words in
nonsense. So a word is written first; when it turns out to be one to avoid, the answer goes back to where it began,
and there alone the token that began it is barred.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .llama import LlamaModel

_LETTERS = re.compile(r"[^\W_]+")
MOST_BARRED = 6
"""Words taken back at one place; a model that still wants one to avoid after so many may write it."""
MOST_TRIED = 24
"""Tokens looked at for one that begins a word."""


class Avoidance:
    """The words one candidate avoids, in any case, and the tokens barred so far, by their place in the answer."""

    def __init__(self, words: Sequence[str], model: LlamaModel) -> None:
        self._words = {part for word in words for part in _LETTERS.findall(word.lower())}
        self._model = model
        self._barred: dict[int, set[int]] = {}
        self._checked = 0  # tokens that stand: no word to avoid ends before here

    def mask(self, logits: NDArray[np.float32], start: int) -> NDArray[np.float32]:
        """`logits`, [rows, vocabulary], of the answer's places from `start` on, with barred tokens at -inf.

        Where tokens are barred, those that would glue to the word before are so too: a model kept from a name
        likes to write it without the space.
        """
        places = [place for place in self._barred if start <= place < start + len(logits)]
        if places:
            logits = logits.copy()
        for place in places:
            row = logits[place - start]
            row[list(self._barred[place])] = float("-inf")
            for _ in range(MOST_TRIED):
                token = int(row.argmax())
                if place == 0 or self._model.starts_word(token) or self._model.is_end(token):
                    break
                row[token] = float("-inf")
        return logits

    def first_avoided(self, tokens: Sequence[int], *, over: bool) -> int | None:
        """Where the first word to avoid begins in `tokens`, and bar its first token there; None without one.

        A word counts once the next one has begun, or the answer is `over`.
        """
        starts = [
            place
            for place in range(self._checked, len(tokens))
            if place == 0 or self._model.starts_word(tokens[place])
        ]
        ends = [*starts[1:], *([len(tokens)] if over else [])]
        for start, end in zip(starts, ends, strict=False):
            barred = self._barred.get(start, set())
            if len(barred) < MOST_BARRED and self._has_avoided(tokens[start:end]):
                self._barred = {place: kept for place, kept in self._barred.items() if place < start}
                self._barred[start] = {*barred, tokens[start]}
                return start
            self._checked = end
        return None

    def _has_avoided(self, tokens: Sequence[int]) -> bool:
        found = _LETTERS.findall(self._model.text(tokens).lower())
        return any(word in self._words for word in found)
