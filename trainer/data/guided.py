"""Candidates for `best`: greedy rewrites kept from the words that the scorer blames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...posi_core.safe_prompt.guidance import words_to_avoid
from ..evaluation.names import NameFinder, harmless_names, has_names
from ..rewards.faults import words

if TYPE_CHECKING:
    from ...posi_core.rewriter import Rewriter
    from ...posi_core.risk import Scorer

MOST = 5
"""Candidates a round."""


@dataclass(frozen=True)
class Guide:
    """Proposes in `rounds`: each goes on from the best rewrite so far and avoids what is blamed in it as well.

    Names that carry no risk are never avoided, since a model kept from a name writes one like it, and what has lost
    one is not proposed.
    """

    scorer: Scorer
    names: NameFinder
    rounds: int = 2

    def harmless(self, prompt: str) -> tuple[str, ...]:
        """The names in `prompt` that carry no risk, lower case."""
        return harmless_names(prompt, self.names, self.scorer)

    def propose(self, prompt: str, rewriter: Rewriter, best: Callable[[Sequence[str]], str]) -> list[str]:
        """Different rewrites of `prompt`; `best` chooses among some. Raises as `rewriter` does."""
        names = self.harmless(prompt)
        spared = {word for name in names for word in name.split()}
        avoided: dict[str, frozenset[str]] = {prompt: frozenset()}
        start = prompt
        for _ in range(self.rounds):
            (risk,) = self.scorer.score([start], words=True)
            sets = words_to_avoid(risk.words, MOST, already=avoided[start], spared=spared)
            if not sets:
                break
            for text in rewriter.rewrite(prompt, n=len(sets), avoid=sets):
                if has_names(text, names):
                    avoided.setdefault(text, sets[-1] - set(words(text)))
            new = best(list(avoided))
            if new == start:
                break
            start = new
        return [text for text in avoided if text != prompt]
