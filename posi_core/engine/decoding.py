"""From a request to completions: one batch a round holds each candidate's last token and its draft.

A row of a batch costs about a third of a token decoded alone, since the weights are read once for all rows. So the
first batch holds the end of the prompt and the first draft together, and each round's draft is as long as it pays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .avoidance import Avoidance
from .drafts import CopyDraft
from .llama import BATCH, LlamaModel
from .sampling import sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_ROWS = 63
"""From 64 rows on llama.cpp's flash attention works in tiles that round otherwise: below, on CPUs, a row's logits
are bit for bit those of the token decoded alone."""

WORTH, FIRST_WORTH = 0.6, 0.5
"""A draft goes on as long as the chance that all of it is right is at least this: what a row costs, as a share of
what it saves when it is right."""


class Stopped(Exception):
    """Cancelled, or past the deadline: `kind` says which."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class RequestError(Exception):
    """The request cannot be served as it stands, for instance because it does not fit the context."""


@dataclass
class Candidate:
    """One sequence being written. `pending` tokens are part of it but not yet decoded."""

    sequence: int
    decoded: int  # positions in the cache
    pending: list[int]
    draft: CopyDraft | None
    generator: np.random.Generator | None
    avoidance: Avoidance | None = None
    tokens: list[int] = field(default_factory=list)
    proposal: list[int] = field(default_factory=list)
    finished: bool = False
    ended: bool = False
    rounds: int = 0
    drafted: int = 0
    accepted: int = 0

    @property
    def answer(self) -> list[int]:
        """The tokens without the one that ended it."""
        return self.tokens[:-1] if self.finished else self.tokens


class Decoder:
    """Decodes requests on one model, keeping the cache of what the next request begins with as well."""

    def __init__(self, model: LlamaModel, context: int, sequences: int) -> None:
        self.model = model
        self.context = context
        self.sequences = sequences
        self._cached: list[int] = []  # tokens of sequence 0 whose keys and values are in the cache

    def warm_up(self) -> None:
        """Decode a few rows in each of the shapes to come, so that memory is touched and a crash happens now."""
        model = self.model
        for rows in (1, 4, 33):
            tokens = [index % model.vocabulary_size for index in range(rows)]
            model.decode(tokens, range(rows), [0] * rows, [True] * rows)
            model.forget(0, 0)

    def generate(
        self,
        request: dict[str, Any],
        check: Callable[[], None],
        progress: Callable[[int], None],
    ) -> list[dict[str, Any]]:
        """Completions as plain data. `check` raises Stopped between batches."""
        began = time.perf_counter()
        model = self.model
        user = model.tokenize(request["user"], special=False)
        prompt = [
            *model.tokenize(request["prefix"], special=True),
            *user,
            *model.tokenize(request["suffix"], special=True),
        ]
        stops = self._stops(request["stop"])
        limit = request["max_tokens"]
        limit = answer_limit(len(user)) if limit is None else int(limit)
        greedy = request["temperature"] <= 0
        avoid = request["avoid"]
        if avoid and len(avoid) != request["n"]:
            raise RequestError(f"avoid has {len(avoid)} entries: n is {request['n']}")
        count = 1 if greedy and not avoid else int(request["n"])
        room = self._room(len(prompt), limit, count)
        candidates: list[Candidate] = []
        cached = -1
        for start in range(0, count, room):
            kept = self._reuse(prompt)
            cached = kept if cached < 0 else cached
            group = [
                Candidate(
                    sequence=index - start,
                    decoded=kept,
                    pending=[],
                    draft=CopyDraft(user, min(stops), model.starts_word) if request["draft"] else None,
                    generator=None if greedy else _generator(int(request["seed"]), index),
                    avoidance=Avoidance(avoid[index], model) if avoid else None,
                )
                for index in range(start, min(start + room, count))
            ]
            try:
                self._write(group, prompt, stops, limit, request, check, progress)
            finally:
                self._release(group, prompt)
            candidates += group
        seconds = time.perf_counter() - began
        results = [
            {
                "text": model.text(candidate.answer),
                "ids": candidate.answer,
                "tokens": len(candidate.tokens),
                "finished": candidate.finished,
                "prompt_tokens": len(prompt) - cached,
                "cached_tokens": cached,
                "rounds": candidate.rounds,
                "drafted": candidate.drafted,
                "accepted": candidate.accepted,
                "seconds": seconds,
            }
            for candidate in candidates
        ]
        return results if count > 1 else results * int(request["n"])

    def _stops(self, texts: Sequence[str]) -> set[int]:
        stops = set()
        for text in texts:
            tokens = self.model.tokenize(text, special=True)
            if len(tokens) != 1:
                raise RequestError(
                    f"the stop text {text!r} is {len(tokens)} tokens for this model: one is needed"
                )
            stops.add(tokens[0])
        if not stops:
            raise RequestError("no stop text is given: nothing would end an answer")
        return stops

    def _room(self, prompt: int, limit: int, count: int) -> int:
        """How many candidates fit the context at a time."""
        if limit < 1:
            raise RequestError(f"max_tokens is {limit}: at least 1")
        if count > self.sequences:
            raise RequestError(f"n is {count}: at most {self.sequences} candidates")
        fit = (self.context - prompt) // (limit + 1)
        if fit < 1:
            raise RequestError(
                f"{prompt} tokens of prompt and an answer of up to {limit} do not fit the context of "
                f"{self.context} tokens: split the prompt"
            )
        return fit

    def _reuse(self, prompt: list[int]) -> int:
        """Keep the cache of the tokens that this prompt has in common with the last one; returns their number."""
        common = 0
        for ours, theirs in zip(self._cached, prompt[:-1], strict=False):
            if ours != theirs:
                break
            common += 1
        self.model.forget(0, common)
        self._cached = prompt[:common]
        return common

    def _write(
        self,
        candidates: list[Candidate],
        prompt: list[int],
        stops: set[int],
        limit: int,
        request: dict[str, Any],
        check: Callable[[], None],
        progress: Callable[[int], None],
    ) -> None:
        first = candidates[0]
        tail = prompt[first.decoded :]
        drafted = len(candidates) == 1 and first.draft is not None
        if drafted and len(tail) < MAX_ROWS:
            first.pending = tail
        else:
            check()
            row = self._read(tail, first.decoded)
            for candidate in candidates:
                candidate.decoded = len(prompt)
                if candidate is not first:
                    self.model.share(0, candidate.sequence, len(prompt))
                self._accept(candidate, row, stops, limit, request)
        while live := [candidate for candidate in candidates if not candidate.ended]:
            check()
            self._round(live, stops, limit, request)
            for candidate in live:
                self._step_back(candidate, prompt)
            progress(sum(len(candidate.tokens) for candidate in candidates))

    def _read(self, tail: list[int], start: int) -> NDArray[np.float32]:
        """Decode a prompt alone; logits of its last token, [1, vocabulary]."""
        logits = None
        for offset in range(0, len(tail), BATCH):
            part = tail[offset : offset + BATCH]
            last = offset + len(part) == len(tail)
            positions = range(start + offset, start + offset + len(part))
            wanted = [False] * (len(part) - 1) + [last]
            logits = self.model.decode(part, positions, [0] * len(part), wanted)
        assert logits is not None
        return logits

    def _round(self, live: list[Candidate], stops: set[int], limit: int, request: dict[str, Any]) -> None:
        """Decode every candidate's pending tokens and draft in one batch, and take what is right."""
        room = MAX_ROWS // len(live)
        tokens: list[int] = []
        positions: list[int] = []
        sequences: list[int] = []
        wanted: list[bool] = []
        for candidate in live:
            candidate.proposal = self._proposal(candidate, room, limit)
            rows = candidate.pending + candidate.proposal
            tokens += rows
            positions += range(candidate.decoded, candidate.decoded + len(rows))
            sequences += [candidate.sequence] * len(rows)
            wanted += [False] * (len(candidate.pending) - 1) + [True] * (len(candidate.proposal) + 1)
        logits = self.model.decode(tokens, positions, sequences, wanted)
        start = 0
        for candidate in live:
            end = start + len(candidate.proposal) + 1
            self._accept(candidate, logits[start:end], stops, limit, request)
            start = end

    def _proposal(self, candidate: Candidate, room: int, limit: int) -> list[int]:
        draft, pending = candidate.draft, len(candidate.pending)
        most = min(room - pending, limit - len(candidate.tokens) - 1)
        if draft is None or most <= 0:
            return []
        # Beside the rows of the prompt a row is cheaper than in a batch of its own.
        proposal = draft.propose(most, FIRST_WORTH if pending > 1 else WORTH)
        spare = (pending + len(proposal)) % 4
        if spare:  # the kernels take rows in fours, and a row left over costs as much as two of four
            longer = draft.propose(min(most, len(proposal) + 4 - spare), WORTH / 2)
            if (pending + len(longer)) % 4 == 0 or len(proposal) <= spare:
                return longer
            proposal = draft.propose(len(proposal) - spare)
        return proposal

    def _accept(
        self,
        candidate: Candidate,
        logits: NDArray[np.float32],
        stops: set[int],
        limit: int,
        request: dict[str, Any],
    ) -> None:
        """Append the model's tokens as far as the proposal agrees, and one more; forget the rest.

        `logits`: [proposal + 1, vocabulary].
        """
        proposal = candidate.proposal
        if candidate.avoidance is not None:
            logits = candidate.avoidance.mask(logits, len(candidate.tokens))
        chosen: list[int] = [] if candidate.generator else logits.argmax(axis=1).tolist()
        kept = 0
        while True:
            if candidate.generator is not None:
                chosen.append(_sampled(logits[kept], request, candidate.generator))
            token = chosen[kept]
            candidate.tokens.append(token)
            kept += 1
            candidate.finished = token in stops or self.model.is_end(token)
            if candidate.finished or len(candidate.tokens) >= limit:
                candidate.ended = True
                break
            if kept > len(proposal) or token != proposal[kept - 1]:
                break
        right = kept - 1
        candidate.rounds += 1
        candidate.drafted += len(proposal)
        candidate.accepted += right + (right < len(proposal) and chosen[right] == proposal[right])
        if candidate.draft is not None and not candidate.ended:
            candidate.draft.observe(proposal, chosen, kept)
        candidate.decoded += len(candidate.pending) + right
        if right < len(proposal):
            self.model.forget(candidate.sequence, candidate.decoded)
        candidate.pending = [candidate.tokens[-1]]
        candidate.proposal = []

    def _step_back(self, candidate: Candidate, prompt: list[int]) -> None:
        """Take back what was written from the first word to avoid on: that word's first token is now barred."""
        if candidate.avoidance is None:
            return
        start = candidate.avoidance.first_avoided(candidate.tokens, over=candidate.ended)
        if start is None:
            return
        del candidate.tokens[start:]
        written = [*prompt, *candidate.tokens]
        candidate.pending, candidate.decoded = written[-1:], len(written) - 1
        self.model.forget(candidate.sequence, candidate.decoded)
        candidate.ended = candidate.finished = False
        if candidate.draft is not None:
            candidate.draft = candidate.draft.restarted(candidate.tokens)

    def _release(self, candidates: list[Candidate], prompt: list[int]) -> None:
        for candidate in candidates[1:]:
            self.model.forget(candidate.sequence, 0)
        # After a failure it is unknown how far the prompt got; what was cached before it is still there.
        reached = min(candidates[0].decoded, len(prompt))
        self.model.forget(0, reached)
        self._cached = prompt[:reached]


def answer_limit(prompt_tokens: int) -> int:
    """Most tokens an answer may have unless a request says otherwise: a rewrite is about as long as its prompt."""
    return prompt_tokens * 3 // 2 + 32


def _generator(seed: int, candidate: int) -> np.random.Generator:
    import numpy as np

    return np.random.default_rng([seed & 0xFFFFFFFFFFFFFFFF, candidate])


def _sampled(logits: NDArray[np.float32], request: dict[str, Any], generator: np.random.Generator) -> int:
    return sample(logits, request["temperature"], request["top_k"], request["top_p"], generator)
