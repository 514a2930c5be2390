"""Drafts of a rewrite, copied from its own prompt: most of a rewrite repeats its input.

A draft is a guess of the next tokens that costs nothing to make. The model verifies it in one batch, so a wrong
guess costs time and never changes the text (speculative decoding, Leviathan et al. 2023; prompt lookup decoding,
Saxena 2023). What is new here: after a mismatch the draft finds its place in the prompt again, and what the model
said about the later rows of a rejected draft is kept as a guess of where it will depart from the prompt next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

LOOK_AHEAD = 12
"""How many prompt tokens a rewrite may have left out at once for one token to show where it goes on."""


class CopyDraft:
    """Where in the prompt the rewrite stands, and so what it will probably say next.

    `source` are the prompt's tokens, followed by `stop`, with which an answer ends. `starts(token)` tells whether a
    token starts a word (or is punctuation): a replaced word of several tokens is skipped as a whole.
    """

    def __init__(self, source: Sequence[int], stop: int, starts: Callable[[int], bool]) -> None:
        self._source = (*source, stop)
        self._starts = starts
        self._cursor = 0
        self._text: list[int] = []
        self._lost = 0  # tokens since the last one that fitted
        self._left = 0  # the place where the text left the prompt
        self._guesses: dict[
            int, int
        ] = {}  # place in the prompt -> the token the model would rather put there
        self._places: list[int] = []  # for each token of the last proposal, its place in the prompt
        self._after_pair: dict[tuple[int, int], list[int]] = {}
        for place in range(2, len(self._source)):
            pair = (self._source[place - 2], self._source[place - 1])
            self._after_pair.setdefault(pair, []).append(place)

    def propose(self, limit: int) -> list[int]:
        """At most `limit` next tokens."""
        tokens: list[int] = []
        self._places = []
        cursor = self._cursor
        while cursor < len(self._source) and len(tokens) < limit:
            guess = self._guesses.get(cursor)
            self._places.append(cursor)
            if guess is None:
                tokens.append(self._source[cursor])
                cursor += 1
            else:
                tokens.append(guess)
                cursor = self._ahead(cursor, guess) or self._next_word(cursor)
        return tokens

    def observe(self, proposal: Sequence[int], chosen: Sequence[int], kept: int) -> None:
        """Learn from a verified batch.

        `chosen[i]` is the model's token where `proposal[i]` was proposed, plus one after the whole proposal; the
        first `kept` tokens of `chosen` are now part of the text. Later ones were predicted after a wrong token, so
        they are hints only; `chosen` may be cut short where no hint is wanted.
        """
        for index in range(kept):
            self._move(self._places[index] if index < len(self._places) else self._cursor, chosen[index])
        for index in range(kept + 1, min(len(proposal), len(chosen))):
            place, token = self._places[index], chosen[index]
            if token == self._source[place]:
                self._guesses.pop(place, None)
            else:
                self._guesses[place] = token

    def _move(self, place: int, token: int) -> None:
        """The text goes on with `token` where the draft stood at `place`."""
        fits = place < len(self._source) and token == self._source[place]
        found = place + 1 if fits else self._found(place, token)
        self._text.append(token)
        if found is not None:
            self._cursor, self._lost = found, 0
        elif (
            self._lost
        ):  # the replacement has another piece, or words were put in: the prompt goes on after them
            self._cursor, self._lost = place, self._lost + 1
        else:
            self._left, self._lost = place, 1
            self._cursor = self._next_word(place)

    def _found(self, place: int, token: int) -> int | None:
        """The place after `token` where the text probably is in the prompt again."""
        if self._text:
            seen = self._after_pair.get((self._text[-1], token))
            if seen:
                return min(seen, key=lambda found: abs(found - 1 - place))
        if self._lost:
            for index in range(self._left, min(place, len(self._source))):  # words were put in, none replaced
                if self._source[index] == token:
                    return index + 1
        return self._ahead(place, token)

    def _ahead(self, place: int, token: int) -> int | None:
        """Words were left out: the place after the next `token` in the prompt."""
        for index in range(place + 1, min(place + 1 + LOOK_AHEAD, len(self._source))):
            if self._source[index] == token:
                return index + 1
        return None

    def _next_word(self, place: int) -> int:
        """A word was replaced: the next place where one starts."""
        for index in range(place + 1, len(self._source)):
            if self._starts(self._source[index]):
                return index
        return len(self._source)
