"""Drafts of a rewrite, copied from its own prompt: most of a rewrite repeats its input.

A draft is a guess of the next tokens that costs nothing to make. The model verifies it in one batch, so a wrong
guess costs time and never changes the text (speculative decoding, Leviathan et al. 2023; prompt lookup decoding,
Saxena 2023). What is new here: after a mismatch the draft finds its place in the prompt again, and what the model
said about the later rows of a rejected draft is kept as a guess of where it will depart from the prompt next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

_NEAR, _FAR = 3, 12
"""How many prompt tokens may have been left out at once for one token to show where the text goes on: few when it
only just left the prompt, since any "the" further on would do; more when the place is lost anyway."""

_LOST = (0.4, 0.25, 0.1)
"""How often the next guess is right when the last one, two, or more tokens did not fit; and in sync, by the number
of tokens that fitted since: measured on 100 rewrites of a model that changes two phrases a prompt."""
_SYNC = (0.7, 0.82, *(0.92,) * 10, 0.98)
_HINT = 0.6


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
        self._run = 2  # tokens that fitted since the text was last lost
        self._lost = 0  # tokens since the last one that fitted
        self._left = 0  # the place where the text left the prompt
        self._echo: int | None = None  # the text repeats itself from here
        self._hints: dict[int, int] = {}  # place in the prompt -> the token the model would rather put there
        self._places: list[int] = []  # for each token of the last proposal, its place in the prompt, or -1
        self._after_pair: dict[tuple[int, int], list[int]] = {}
        for place in range(2, len(self._source)):
            pair = (self._source[place - 2], self._source[place - 1])
            self._after_pair.setdefault(pair, []).append(place)
        self._said: dict[tuple[int, ...], int] = {}  # three tokens of the text -> what follows them, by index

    def restarted(self, text: Sequence[int]) -> CopyDraft:
        """A draft for the same prompt where `text` is what was written, after some of it was taken back."""
        draft = CopyDraft(self._source[:-1], self._source[-1], self._starts)
        for token in text:
            draft.observe([], [token], 1)
        return draft

    def propose(self, limit: int, worth: float = 0.0) -> list[int]:
        """At most `limit` next tokens, as long as the chance that all are right is at least `worth`."""
        tokens: list[int] = []
        self._places = []
        cursor, chance, run = self._cursor, 1.0, self._run
        while len(tokens) < limit:
            if self._echo is not None:
                index = self._echo + len(tokens)
                token = self._text[index] if index < len(self._text) else tokens[index - len(self._text)]
                place, hinted = -1, False
            elif cursor < len(self._source):
                place, hinted = cursor, cursor in self._hints
                token = self._hints.get(cursor, self._source[cursor])
                cursor = self._after_hint(cursor, token) if hinted else cursor + 1
            else:
                break
            if hinted:
                chance *= _HINT
            elif self._lost and not tokens and self._echo is None:
                chance *= _LOST[min(self._lost, len(_LOST)) - 1]
            else:
                chance *= _SYNC[min(run, len(_SYNC) - 1)]
                run += 1
            if chance < worth:
                break
            tokens.append(token)
            self._places.append(place)
        return tokens

    def observe(self, proposal: Sequence[int], chosen: Sequence[int], kept: int) -> None:
        """Learn from a verified batch.

        `chosen[i]` is the model's token where `proposal[i]` was proposed, plus one after the whole proposal; the
        first `kept` tokens of `chosen` are now part of the text. Later ones were predicted after a wrong token, so
        they are hints only; `chosen` may be cut short where no hint is wanted.
        """
        for index in range(kept):
            fitted = index < len(proposal) and chosen[index] == proposal[index]
            place = self._places[index] if index < len(proposal) else -1
            self._move(self._cursor if place < 0 else place, chosen[index], echoed=fitted and place < 0)
        for index in range(kept + 1, min(len(proposal), len(chosen))):
            place, token = self._places[index], chosen[index]
            if place < 0:
                continue
            if token == self._source[place]:
                self._hints.pop(place, None)
            else:
                self._hints[place] = token

    def _move(self, place: int, token: int, *, echoed: bool) -> None:
        """The text goes on with `token` where the draft stood at `place`."""
        fits = place < len(self._source) and token == self._source[place]
        before = tuple(self._text[-2:])
        self._text.append(token)
        repeats = None
        if len(before) == 2:
            three = (*before, token)
            repeats = self._said.get(three)
            self._said[three] = len(self._text)
        if self._echo is not None:
            self._echo = self._echo + 1 if echoed else None
            if echoed:
                self._run += 1
                return
        if fits:
            self._cursor, self._lost = place + 1, 0
            self._run += 1
            return
        found = self._found(place, token, before)
        if found is not None:
            self._cursor, self._lost, self._run = found, 0, 0
        elif repeats is not None:
            self._echo, self._run = repeats, 2
        elif (
            self._lost
        ):  # the replacement has another piece, or words were put in: the prompt goes on after them
            self._cursor, self._lost = place, self._lost + 1
        else:
            self._left, self._lost, self._run = place, 1, 0
            self._cursor = self._next_word(place)

    def _found(self, place: int, token: int, before: tuple[int, ...]) -> int | None:
        """The place after `token` where the text probably is in the prompt again."""
        seen = self._after_pair.get((before[-1], token), []) if before else []
        # A pair far back is no sign as long as the text only just left the prompt.
        seen = [found for found in seen if self._lost or found > place]
        if seen:
            return min(seen, key=lambda found: abs(found - 1 - place))
        if self._lost:
            for index in range(self._left, min(place, len(self._source))):  # words were put in, none replaced
                if self._source[index] == token:
                    return index + 1
        return self._ahead(place, token, _FAR if self._lost else _NEAR)

    def _ahead(self, place: int, token: int, most: int) -> int | None:
        """Words were left out: the place after the next `token` in the prompt, at most `most` tokens on."""
        for index in range(place + 1, min(place + 1 + most, len(self._source))):
            if self._source[index] == token:
                return index + 1
        return None

    def _after_hint(self, place: int, token: int) -> int:
        ahead = self._ahead(place, token, _NEAR)
        return self._next_word(place) if ahead is None else ahead

    def _next_word(self, place: int) -> int:
        """A word was replaced: the next place where one starts."""
        for index in range(place + 1, len(self._source)):
            if self._starts(self._source[index]):
                return index
        return len(self._source)
