"""Small stand-ins for the engine, the scorer and the encoder: same protocols, no model files, calls recorded.

They are deterministic and answer from a table of words, so a test reads as a story: "a bloody knight" carries
violence because the table says so, and the fake engine turns "bloody" into "shining".
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from posi.posi_core.errors import CancelledError, DeadlineError
from posi.posi_core.verdict import CATEGORIES, Risk, WordRisk

RISKY: dict[str, tuple[str, float]] = {
    "bloody": ("violence", 0.9),
    "blood": ("violence", 0.8),
    "gun": ("violence", 0.7),
    "corpse": ("shocking", 0.85),
    "naked": ("sexual", 0.9),
    "insult": ("harassment", 0.8),
    "slur": ("hate", 0.9),
    "noose": ("self-harm", 0.9),
    "smuggler": ("illegal activity", 0.75),
}
"""Words the fake scorer minds: category and probability."""

REWRITES: dict[str, str] = {
    "bloody": "shining",
    "blood": "rain",
    "gun": "flute",
    "corpse": "statue",
    "naked": "clothed",
    "insult": "joke",
    "slur": "greeting",
    "noose": "swing",
    "smuggler": "merchant",
}
"""What the fake engine writes instead."""

LIMITS: dict[str, dict[str, float]] = {
    "thresholds": {"overall": 0.5, **dict.fromkeys(CATEGORIES, 0.5)},
    "accept": {"overall": 0.35, **dict.fromkeys(CATEGORIES, 0.35)},
}
"""Limits of a policy that suit these probabilities, for tests that need to know them."""

_WORD = re.compile(r"\w+")


class FakeScorer:
    """Scores by table. `error` set: every call raises it. `calls` holds the batches it was given."""

    def __init__(self, risky: Mapping[str, tuple[str, float]] = RISKY, *, base: float = 0.02) -> None:
        self.identity = "fake-scorer"
        self.risky = dict(risky)
        self.base = base
        self.error: BaseException | None = None
        self.calls: list[tuple[str, ...]] = []

    def score(self, texts: Sequence[str], *, words: bool = False) -> list[Risk]:
        self.calls.append(tuple(texts))
        if self.error is not None:
            raise self.error
        return [self._risk(text, words) for text in texts]

    def _risk(self, text: str, words: bool) -> Risk:
        categories = dict.fromkeys(CATEGORIES, self.base)
        hits = []
        for match in _WORD.finditer(text):
            found = self.risky.get(match.group().lower())
            if found is not None:
                categories[found[0]] = max(categories[found[0]], found[1])
                hits.append((match, found[1]))
        total = sum(probability for _, probability in hits)
        marked = tuple(
            WordRisk(match.group(), match.start(), match.end(), probability / total)
            for match, probability in hits
        )
        return Risk(max(categories.values()), categories, marked if words else ())


class FakeEncoder:
    """Cosine of word counts. `error` set: every call raises it."""

    def __init__(self) -> None:
        self.identity = "fake-encoder"
        self.error: BaseException | None = None
        self.calls: list[tuple[str, tuple[str, ...]]] = []

    def similarity(self, original: str, rewrites: Sequence[str]) -> list[float]:
        self.calls.append((original, tuple(rewrites)))
        if self.error is not None:
            raise self.error
        return [_cosine(_bag(original), _bag(rewrite)) for rewrite in rewrites]

    def pieces(self, word: str) -> int:
        return 1 + len(word) // 12


class FakeEngine:
    """Rewrites word by word from a table.

    `error` set: every call raises it. `answers` (a list of lists of texts) overrides the table, one entry a
    call. Words in `stubborn` stay, unless the engine `avoids` and they are to be avoided. `delay` sleeps that
    many seconds a call, minding deadline and cancellation as the real engine does.
    """

    def __init__(
        self,
        rewrites: Mapping[str, str] = REWRITES,
        *,
        answers: Sequence[Sequence[str]] = (),
        stubborn: Sequence[str] = (),
        delay: float = 0.0,
        avoids: bool = False,
    ) -> None:
        self.identity = "fake-engine"
        self.rewrites = dict(rewrites)
        self.answers = [list(answer) for answer in answers]
        self.stubborn = {word.lower() for word in stubborn}
        self.delay = delay
        self.error: BaseException | None = None
        self.requests: list[Any] = []
        self.unloads = 0
        self.closed = False
        self.can_avoid = avoids

    @property
    def template(self) -> Any:
        from posi.posi_core.engine import PromptTemplate

        return PromptTemplate(prefix="<safe>", suffix="</safe>", stop=("</s>",))

    def generate(
        self,
        request: Any,
        *,
        deadline: float | None = None,
        cancelled: Callable[[], bool] | None = None,
        on_token: Callable[[int], None] | None = None,
    ) -> list[Any]:
        from posi.posi_core.engine import Completion

        self.requests.append(request)
        self._wait(deadline, cancelled)
        if self.error is not None:
            raise self.error
        words = request.avoid or [()] * request.n
        texts = (
            self.answers.pop(0) if self.answers else [self.rewrite(request.user, avoid) for avoid in words]
        )
        if on_token is not None:
            on_token(1)
        return [Completion(text=text, tokens=len(text.split()), finished=True) for text in texts]

    def rewrite(self, text: str, avoid: Sequence[str] = ()) -> str:
        def swap(match: re.Match[str]) -> str:
            word = match.group().lower()
            return (
                match.group()
                if word in self.stubborn and word not in avoid
                else self.rewrites.get(word, match.group())
            )

        return _WORD.sub(swap, text)

    def unload(self) -> None:
        self.unloads += 1

    def close(self) -> None:
        self.closed = True

    def health(self) -> Any:
        return {"loaded": not self.closed}

    def _wait(self, deadline: float | None, cancelled: Callable[[], bool] | None) -> None:
        end = time.monotonic() + self.delay
        while True:
            if cancelled is not None and cancelled():
                raise CancelledError("The request was cancelled.")
            if deadline is not None and time.monotonic() >= deadline:
                raise DeadlineError("The time allowed passed before the rewrite was complete.")
            if time.monotonic() >= end:
                return
            time.sleep(0.005)


def _bag(text: str) -> Counter[str]:
    return Counter(match.group().lower() for match in _WORD.finditer(text))


def _cosine(left: Counter[str], right: Counter[str]) -> float:
    if left == right:
        return 1.0
    norm = math.sqrt(sum(n * n for n in left.values()) * sum(n * n for n in right.values()))
    return sum(left[word] * right[word] for word in left) / norm if norm else 0.0
