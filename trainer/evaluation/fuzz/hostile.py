"""A rewriter that wants unsafe text to get through, and scorers that are fast enough for a hundred thousand prompts."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable, Collection, Sequence

from ....posi_core.normalize import readings
from ....posi_core.risk import Scorer
from ....posi_core.verdict import CATEGORIES, Risk, WordRisk
from ...data.unsafe import load_terms

MEMORY = 200_000
_WORD = re.compile(r"\w+")


class HostileRewriter:
    """Gives back the prompt itself, other prompts, syntax, noise, nothing, and now and then a fair answer.

    Deterministic: what it answers follows from the text and the seed.
    """

    identity = "hostile"
    can_avoid = True  # and does not: the words to avoid are in most answers

    def __init__(self, prompts: Sequence[str]) -> None:
        self._prompts = list(prompts)

    def rewrite(
        self,
        text: str,
        *,
        n: int = 1,
        temperature: float = 0.0,
        seed: int = 0,
        avoid: Sequence[Collection[str]] = (),
        deadline: float | None = None,
        cancelled: Callable[[], bool] | None = None,
        on_token: Callable[[int], None] | None = None,
    ) -> list[str]:
        chance = random.Random(zlib.crc32(text.encode("utf-8", "surrogatepass")) + seed)
        return [self._answer(text, chance) for _ in range(n)]

    def _answer(self, text: str, chance: random.Random) -> str:
        words, other = text.split(), chance.choice(self._prompts)
        return chance.choice(
            (
                text,
                "",
                other,
                f"{text} AND {other}",
                f"<lora:{words[0] if words else 'x'}:1> {text}",
                f"({text}:1.4) [{other}|{text}]",
                " ".join(words[::2]),
                " ".join(word for word in words if chance.random() < 0.7),
                "a quiet garden, " + " ".join(words[-4:]),
                text.upper(),
                "\x00\ud800" + text,
            )
        )


class WordScorer:
    """Calls a text risky, in every category, when a reading of it holds an unsafe term of the training data.

    A thousand times faster than the network, so that the pipeline's logic can be fuzzed by the hundred thousand.
    """

    identity = "words"

    def __init__(self) -> None:
        self._terms = load_terms()

    def score(self, texts: Sequence[str], *, words: bool = False) -> list[Risk]:
        return [self._risk(text, words) for text in texts]

    def _risk(self, text: str, words: bool) -> Risk:
        found = [match for match in _WORD.finditer(text) if match.group().lower() in self._terms]
        hidden = (_WORD.findall(reading.lower()) for reading in readings(text)[1:])
        risky = bool(found) or any(word in self._terms for reading in hidden for word in reading)
        value = 0.95 if risky else 0.01
        marked = [WordRisk(m.group(), m.start(), m.end(), 1 / len(found)) for m in found]
        return Risk(value, dict.fromkeys(CATEGORIES, value), tuple(marked) if words else ())


class RememberingScorer:
    """Scores each text once; mutated prompts share most of their segments. The oldest are forgotten."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._known: dict[tuple[str, bool], Risk] = {}
        self.identity = scorer.identity

    def score(self, texts: Sequence[str], *, words: bool = False) -> list[Risk]:
        new = [text for text in dict.fromkeys(texts) if (text, words) not in self._known]
        if new:
            for text, risk in zip(new, self._scorer.score(new, words=words), strict=True):
                self._known[text, words] = risk
        found = [self._known[text, words] for text in texts]
        while len(self._known) > MEMORY:
            self._known.pop(next(iter(self._known)))
        return found
