"""The search for a wording that is safe and still says what the user meant.

Rounds, each verified in one batch: one greedy rewrite of the risky segments; greedy ones that avoid the words blamed
for the risk; sampled ones that also avoid what is blamed in the best so far; and last, taking out the words that
carry the risk. An engine that cannot avoid words samples, from the original and then from the best so far.
After each round but the first the changes seen so far are recombined, and what is found is brought back to the prompt's
words as far as it stays safe.
A candidate counts only as the whole prompt it gives back: restored, parsed again and judged as it will go out.
The search stops at the first round with a candidate under the policy's `accept` limits; the answer is the one of
those that is worth most, similarity less the price of its risk, or, when none came under them, that of lowest risk.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import CancelledError, DeadlineError, EngineError
from ..policy import Policy
from ..policy.terms import term_pattern
from .candidate import Candidate, Rewrites
from .dropping import with_words_taken_out
from .guidance import words_to_avoid
from .judge import Judgement, judge
from .refining import Refiner, RiskyAlone

if TYPE_CHECKING:
    from ..rewriter import Rewriter
    from ..risk import Scorer
    from ..similarity import Encoder
    from ..syntax import ParsedPrompt

GREEDY, WORDS_TAKEN_OUT = "greedy", "words taken out"


@dataclass
class Search:
    """One prompt's search."""

    original: ParsedPrompt
    judgement: Judgement
    policy: Policy
    scorer: Scorer
    encoder: Encoder
    rewriter: Rewriter
    parse: Callable[[str], ParsedPrompt]
    pool: Executor
    deadline: float
    cancelled: Callable[[], bool] | None = None
    on_progress: Callable[[str, float], None] | None = None
    timings: dict[str, float] = field(default_factory=dict)
    seen: dict[str, Candidate] = field(default_factory=dict)
    complete: bool = True
    trouble: str = ""
    furthest: float = 0.0

    def __post_init__(self) -> None:
        segments = self.original.segments
        unchanged = Candidate(
            (None,) * len(segments), self.original, self.judgement, 1.0, "", self.policy.risk_price
        )
        risky_alone = RiskyAlone(self.scorer, self.policy.undo_below)
        self._refiner = Refiner(segments, unchanged, self._consider_again, risky_alone)

    def run(self) -> Candidate | None:
        """The verified rewrite, or None: `trouble` and `nearest()` then say why.

        Raises CancelledError, and EngineError or ScorerError when nothing verified was found before the failure.
        """
        try:
            for rewrites, origin in self._rounds():
                self._consider(rewrites, origin)
                if origin == GREEDY:
                    self._refiner.free = rewrites[0] if rewrites else None
                elif not self._found():
                    self._recombine()
                if self._found():
                    break
            self._recombine()
            self._take_back_changes()
        except CancelledError:
            raise
        except EngineError as error:  # a deadline is one too
            self.complete = False
            if self.choose() is None:
                raise
            self.trouble = str(error)
        return self.choose()

    def choose(self) -> Candidate | None:
        """The candidate under the `accept` limits that is worth most; without one, the least risky under every
        threshold. All are similar enough.
        """
        fit = [candidate for candidate in self.seen.values() if self._fits(candidate)]
        accepted = [candidate for candidate in fit if candidate.judgement.accepted]
        if accepted:
            return max(accepted, key=_worth)
        return min(fit, key=_order) if fit else None

    def nearest(self) -> Candidate | None:
        """The candidate of lowest risk, similar or not: what the reason for a block is about."""
        return min(self.seen.values(), key=_order) if self.seen else None

    def _fits(self, candidate: Candidate) -> bool:
        return not candidate.judgement.flagged and candidate.similarity >= self.policy.similarity_floor

    def _found(self) -> bool:
        return any(item.judgement.accepted and self._fits(item) for item in self.seen.values())

    def _rounds(self) -> Iterator[tuple[list[Rewrites], str]]:
        segments = self.original.segments
        yield self._proposals(segments, self._targets(self.judgement), n=1, number=0), GREEDY
        for number in range(1, self.policy.rounds + 1):
            start = self._start() if number > 1 else None
            best = segments if start is None else _filled(segments, start.rewrites)
            judgement = self.judgement if start is None else start.judgement
            targets, n = self._targets(judgement), self.policy.candidates
            try:
                if self.rewriter.can_avoid:
                    avoid = {index: self._to_avoid(segments[index], best[index], n) for index in targets}
                    sets = self._proposals(segments, targets, n=n, number=number, avoid=avoid)
                else:
                    sets = self._proposals(best, targets, n=n, number=number)
            except (CancelledError, DeadlineError):
                raise
            except EngineError as error:  # words can still be taken out without the engine
                self.complete, self.trouble = False, str(error)
                break
            yield sets, f"round {number}"
        if self.policy.drop_words:
            yield self._dropped(), WORDS_TAKEN_OUT

    def _start(self) -> Candidate | None:
        similar = [c for c in self.seen.values() if c.similarity >= self.policy.similarity_floor]
        return min(similar, key=_order) if similar else None

    def _targets(self, judgement: Judgement) -> list[int]:
        """Indices of the segments to rewrite: those over a limit alone, or all when only the whole is."""
        pattern = term_pattern(self.policy.blocked_terms)
        segments = judgement.segments
        if len(segments) != len(self.original.segments):  # the rewrite reads as other parts than the original
            return list(range(len(self.original.segments)))
        over = [index for index, risk in enumerate(segments) if self.policy.exceeded(risk)]
        over = over or [
            index for index, risk in enumerate(segments) if self.policy.exceeded(risk, accept=True)
        ]
        if pattern is not None and judgement.terms:
            texts = self.original.segments
            over += [i for i, text in enumerate(texts) if i not in over and pattern.search(text)]
        return sorted(over) or list(range(len(segments)))

    def _recombine(self) -> None:
        """Consider what the changes seen so far make together, with the rest as in the best candidate."""
        start = self._best() or self._start() or self.nearest()
        if start is not None:
            self._refiner.recombine(list(self.seen.values()), start)

    def _take_back_changes(self) -> None:
        """Consider the best candidate again with fewer of its changes, as far as it stays under `accept`.

        Even one that is not similar enough, since this makes it more so.
        """
        for index in range(len(self.original.segments)):
            best = self._best()
            if best is not None:
                self._refiner.take_back(index, best)

    def _best(self) -> Candidate | None:
        """The candidate under the `accept` limits that is worth most, similar enough or not."""
        accepted = [candidate for candidate in self.seen.values() if candidate.judgement.accepted]
        return max(accepted, key=_worth, default=None)

    def _to_avoid(self, original: str, best: str, most: int) -> list[frozenset[str]]:
        """Growing sets of words for the rewrites of one segment: what is blamed in its best rewrite so far, besides
        what that rewrite already does without."""
        self._check(0, 0.0)
        started = time.monotonic()
        texts = list(dict.fromkeys((original, best)))
        blamed = [risk.words for risk in self.scorer.score(texts, words=True)]
        self._took("verify", started)
        already: frozenset[str] = frozenset()
        if best != original:
            already = frozenset().union(*words_to_avoid(blamed[0], most)) - {
                word.lower() for word in re.findall(r"[^\W\d_]+", best)
            }
        pattern = term_pattern(self.policy.blocked_terms)
        if pattern is not None:
            already |= {word.lower() for match in pattern.findall(original) for word in match.split()}
        return words_to_avoid(blamed[-1], most, already=already)

    def _proposals(
        self,
        texts: Sequence[str],
        targets: Sequence[int],
        *,
        n: int,
        number: int,
        avoid: Mapping[int, Sequence[frozenset[str]]] | None = None,
    ) -> list[Rewrites]:
        """`n` sets of rewrites; set i takes the i-th candidate of every target segment.

        The first round that avoids words is greedy, so that the edits are those the model is surest of.
        """
        answers: dict[int, list[str]] = {}
        for done, index in enumerate(targets):
            self._check(number, done / len(targets))
            started = time.monotonic()
            words = avoid[index] if avoid else ()
            answers[index] = self.rewriter.rewrite(
                texts[index],
                n=len(words) or n,
                temperature=0.0 if number < (2 if words else 1) else self.policy.temperature,
                seed=number,
                avoid=words,
                deadline=self.deadline,
                cancelled=self.cancelled,
                on_token=self._token_progress(number, texts[index], n),
            )
            self._took("rewrite", started)
        sets = []
        for i in range(max((len(answer) for answer in answers.values()), default=0)):
            rewrites: list[str | None] = [
                None if text == original else text
                for text, original in zip(texts, self.original.segments, strict=True)
            ]
            for index, answer in answers.items():
                if answer:
                    rewrites[index] = answer[min(i, len(answer) - 1)]
            sets.append(tuple(rewrites))
        return sets

    def _consider(self, sets: Sequence[Rewrites], origin: str) -> None:
        """Restore, parse and judge new candidates, and remember them by their text."""
        new: dict[str, tuple[Rewrites, ParsedPrompt]] = {}
        allowed = set(self.original.networks)
        for rewrites in sets:
            if all(rewrite is None for rewrite in rewrites) or any(
                rewrite is not None and not rewrite.strip() for rewrite in rewrites
            ):
                continue
            text = self.original.restore(rewrites)
            parsed = self.parse(text)
            if text not in self.seen and text.strip() and set(parsed.networks) <= allowed:
                new[text] = (rewrites, parsed)
        if not new:
            return
        self._check(0, 0.0)
        started = time.monotonic()
        prompts = [parsed for _, parsed in new.values()]
        plain = self.original.flattened or self.original.text
        similar = self.pool.submit(
            self.encoder.similarity, plain, [parsed.flattened or parsed.text for parsed in prompts]
        )
        judgements = judge(prompts, self.policy, self.scorer)
        values = similar.result(timeout=max(0.0, self.deadline - time.monotonic()) + 1.0)
        for (text, (rewrites, parsed)), judgement, value in zip(new.items(), judgements, values, strict=True):
            self.seen[text] = Candidate(rewrites, parsed, judgement, value, origin, self.policy.risk_price)
        self._took("verify", started)

    def _consider_again(self, sets: Sequence[Rewrites], origin: str) -> list[Candidate | None]:
        """The refiner's view of `_consider`."""
        self._consider(sets, origin)
        return [self.seen.get(self.original.restore(rewrites)) for rewrites in sets]

    def _dropped(self) -> list[Rewrites]:
        """Sets with more and more of the riskiest words taken out, from the best candidate and from the original."""
        start = self._start()
        bases = [self.original.segments]
        if start is not None:
            bases.insert(0, _filled(self.original.segments, start.rewrites))
        self._check(self.policy.rounds + 1, 0.0)
        pattern = term_pattern(self.policy.blocked_terms)
        return [
            tuple(
                None if text == original else text
                for text, original in zip(texts, self.original.segments, strict=True)
            )
            for base in bases
            for texts in with_words_taken_out(base, self.scorer, pattern)
        ]

    def _check(self, number: int, part: float) -> None:
        if self.cancelled is not None and self.cancelled():
            raise CancelledError("The request was cancelled.")
        if time.monotonic() >= self.deadline:
            raise DeadlineError("The time allowed passed before a rewrite was verified.")
        self._report(number, part)

    def _report(self, number: int, part: float) -> None:
        """Progress from 0.1 to 0.95 that never goes back."""
        if self.on_progress is not None:
            self.furthest = max(
                self.furthest, 0.1 + 0.85 * min(1.0, (number + part) / (self.policy.rounds + 2))
            )
            self.on_progress("rewrite", self.furthest)

    def _token_progress(self, number: int, text: str, n: int) -> Callable[[int], None] | None:
        if self.on_progress is None:
            return None
        expected = max(8.0, 1.4 * len(text.split()) * n)
        return lambda tokens: self._report(number, min(0.9, tokens / expected))

    def _took(self, stage: str, started: float) -> None:
        self.timings[stage] = self.timings.get(stage, 0.0) + time.monotonic() - started


def _filled(segments: Sequence[str], rewrites: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(old if new is None else new for old, new in zip(segments, rewrites, strict=True))


def _worth(candidate: Candidate) -> tuple[float, str]:
    return candidate.worth, candidate.text


def _order(candidate: Candidate) -> tuple[bool, float, float, str]:
    judgement = candidate.judgement
    return (
        bool(judgement.forbidden or judgement.terms),
        judgement.excess,
        -candidate.similarity,
        candidate.text,
    )
