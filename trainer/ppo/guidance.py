"""Some answers must do without words of the prompt that carry its risk: what samples alone would hardly ever try.

A small policy that has grown sure of itself samples the same answer sixteen times, and nothing can be learned from
that. Forbidding a risky word makes it look for another one. Such answers are not the policy's own, so they teach only
where they beat its own ones (`formulas.guided_gains`), and the clipped ratio keeps each from teaching much at once.
Where all answers do without the same words, they are compared with each other.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from ...posi_core.errors import UsageError


class Blaming(Protocol):
    """A reward that knows which words of a prompt carry its risk."""

    def risky_words(self, original: str) -> Sequence[str]:
        """In lower case; none for a harmless prompt."""
        ...

    def most_blamed(self, original: str) -> Sequence[str]:
        """Those of them that carry much of the risk."""
        ...


class Guidance:
    """The last `count` of each prompt's `samples` answers are guided: the first may not use one risky word, the next
    two, and so on, drawn at random. With a `count` of all samples none may use the words that carry much of the risk.
    Raises UsageError for a reward that blames no words."""

    def __init__(self, reward: Any, tokenizer: Any, vocabulary: int, samples: int, count: int) -> None:
        if not hasattr(reward, "risky_words"):
            raise UsageError(
                f"ppo config: guided is {count}, but this reward blames no words; use 'distilled', or guided = 0"
            )
        self._reward: Blaming = reward
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._samples = samples
        self._count = count

    def ban(self, prompts: Sequence[str], seed: str) -> Tensor:
        """Tokens that each answer may not hold: bool [B * samples, vocabulary]; the same for the same `seed`.

        A row without a banned token is free.
        """
        rng = random.Random(seed)
        banned = torch.zeros(len(prompts) * self._samples, self._vocabulary, dtype=torch.bool)
        for place, prompt in enumerate(prompts):
            if self._count == self._samples:
                rows = slice(place * self._samples, (place + 1) * self._samples)
                for word in self._reward.most_blamed(prompt):
                    banned[rows, self._beginnings(word)] = True
                continue
            words = list(self._reward.risky_words(prompt))
            for nth in range(self._count if words else 0):
                row = (place + 1) * self._samples - self._count + nth
                for word in rng.sample(words, min(len(words), nth + 1)):
                    banned[row, self._beginnings(word)] = True
        return banned

    def _beginnings(self, word: str) -> list[int]:
        """The tokens with which a word begins in any spelling that a prompt may use."""
        spellings = (word, word.capitalize(), word.upper())
        found = []
        for text in [before + spelling for before in ("", " ") for spelling in spellings]:
            ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
            # Where a space is a token by itself, it stands before every word.
            found += [token for token in ids if self._tokenizer.decode([token]).strip()][:1]
        return found
