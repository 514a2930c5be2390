"""The rewriter: asks the engine for candidates and returns them clean."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ..engine.protocol import Completion, Engine, GenerateRequest
from .cleaning import clean
from .splitting import Part, split

_VERSION = "r1"  # of splitting and cleaning; part of cache keys
_TOP_P, _TOP_K = 0.95, 50  # keeps a small model's sampled rewrites grammatical


@dataclass
class Rewriter:
    """Rewrites plain prompts. Thread-safe, as far as the engine is."""

    engine: Engine

    @property
    def identity(self) -> str:
        return f"{self.engine.identity}+{_VERSION}"

    @property
    def can_avoid(self) -> bool:
        return self.engine.can_avoid

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
        """At most `n` different candidates, usable ones alone, so perhaps none; greedy when `temperature` is 0.

        A prompt too long for one request is rewritten in parts, each candidate from one answer a part. White space
        around the prompt stays; a prompt of nothing else comes back. `avoid` has the words that each of the `n`
        candidates must not write (`can_avoid` says whether the engine can be told). Raises EngineError (and its
        subclasses) and ModelFileError.
        """
        parts = split(text)
        if not parts:
            return [text]
        told = 0
        answers = []
        for part in parts:
            completions = self._ask(
                part, n, temperature, seed, avoid, deadline, cancelled, _shifted(on_token, told)
            )
            told += sum(completion.tokens for completion in completions)
            answers.append(
                [clean(answer.text, part.text, finished=answer.finished) for answer in completions]
            )
        candidates = []
        for choice in zip(*answers, strict=True):
            if all(piece is not None for piece in choice):
                pieces = zip(parts, choice, strict=True)
                candidates.append("".join(f"{part.before}{piece}{part.after}" for part, piece in pieces))
        return list(dict.fromkeys(candidates))

    def _ask(
        self,
        part: Part,
        n: int,
        temperature: float,
        seed: int,
        avoid: Sequence[Collection[str]],
        deadline: float | None,
        cancelled: Callable[[], bool] | None,
        on_token: Callable[[int], None] | None,
    ) -> list[Completion]:
        template = self.engine.template
        request = GenerateRequest(
            prefix=template.prefix,
            user=part.text,
            suffix=template.suffix,
            stop=template.stop,
            n=n if temperature > 0 or avoid else 1,
            temperature=temperature,
            top_p=_TOP_P,
            top_k=_TOP_K,
            seed=seed,
            avoid=tuple(tuple(sorted(words)) for words in avoid),
        )
        return self.engine.generate(request, deadline=deadline, cancelled=cancelled, on_token=on_token)


def _shifted(on_token: Callable[[int], None] | None, told: int) -> Callable[[int], None] | None:
    if on_token is None:
        return None
    return lambda tokens: on_token(told + tokens)
