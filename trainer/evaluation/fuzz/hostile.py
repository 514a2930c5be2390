"""A rewriter that wants unsafe text to get through, and a scorer that remembers what it has scored."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence

from ....posi_core.risk import Scorer
from ....posi_core.verdict import Risk

MEMORY = 200_000


class HostileRewriter:
    """Gives back the prompt itself, other prompts, syntax, noise, nothing, and now and then a fair answer.

    Deterministic: what it answers follows from the text and the seed.
    """

    identity = "hostile"

    def __init__(self, prompts: Sequence[str]) -> None:
        self._prompts = list(prompts)

    def rewrite(
        self,
        text: str,
        *,
        n: int = 1,
        temperature: float = 0.0,
        seed: int = 0,
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
