"""`SafePrompter`: a prompt goes in, a `Verdict` comes out. It fails closed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from ..errors import BlockedError, CancelledError, PosiError, UsageError
from ..policy import Policy, load_policy, minors_reason
from ..requirements import missing_module
from ..verdict import Risk, Verdict
from .candidate import Candidate
from .judge import Judgement, judge, readings_of
from .memory import Memory
from .parts import ModelChoice, Parts
from .search import Search
from .wording import changes_between, words_in

if TYPE_CHECKING:
    from ..cache import Cache
    from ..engine import Engine
    from ..risk import Scorer
    from ..similarity import Encoder
    from ..syntax import ParsedPrompt, SyntaxName

DEFAULT_SECONDS = 120.0
"""Time allowed for a prompt when the caller names none; it ends in a block, not in a wait."""

log = logging.getLogger(__name__)
Progress = Callable[[str, float], None]


class SafePrompter:
    """Rewrites prompts under one policy. Constructing it loads nothing; one instance serves many threads.

    `policy`: a Policy, a preset's name or the path of a TOML file (PolicyError). `model`: a GGUF path or a
    ModelChoice; None is the shipped one. `engine`, `scorer`, `encoder`: used instead of the shipped ones.
    `parts`: shares loaded models with other prompters. `cache`: True for the user's cache folder, a path,
    a Cache, or False.
    """

    def __init__(
        self,
        policy: Policy | Path | str = "standard",
        *,
        model: ModelChoice | Path | str | None = None,
        engine: Engine | None = None,
        scorer: Scorer | None = None,
        encoder: Encoder | None = None,
        parts: Parts | None = None,
        cache: bool | Path | Cache = True,
    ) -> None:
        self.policy = load_policy(policy)
        self._owns_parts = parts is None
        self.parts = parts or Parts(model, engine=engine, scorer=scorer, encoder=encoder)
        self._memory = Memory(self.policy, self.parts, cache)
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="posi-similarity")

    def rewrite(
        self,
        text: str,
        *,
        syntax: SyntaxName = "plain",
        negative: str = "",
        bare: bool = False,
        deadline: float | None = None,
        cancelled: Callable[[], bool] | None = None,
        on_progress: Progress | None = None,
    ) -> Verdict:
        """The verdict on one prompt. `deadline` is in seconds from now; `negative` comes back with the policy's
        additions and is not judged.

        "pass" gives back the same bytes. Whatever fails ends in "block" with the reason and without the raw
        text. `bare` is one greedy rewrite with no gate, no verification, no cache and no retries, for
        evaluation only: its text is not safe. Raises UsageError for arguments that are no prompt or syntax at
        all, and CancelledError once `cancelled()` is true; nothing else.
        """
        started = time.monotonic()
        _check_arguments(text, negative, syntax, deadline)
        end = started + (DEFAULT_SECONDS if deadline is None else deadline)
        blank = Verdict(
            text="",
            action="block",
            original=text,
            policy=self.policy.identity,
            negative=_joined(negative, self.policy.negative_additions),
        )
        try:
            verdict = (
                self._bare(blank, syntax, end, cancelled, on_progress)
                if bare
                else self._judged(blank, syntax, end, cancelled, on_progress)
            )
        except CancelledError:
            raise
        except PosiError as error:
            verdict = self._blocked(blank, str(error), failed=True)
        except Exception as error:  # fail closed: an unknown fault must never let a prompt through
            log.debug("A prompt was blocked by an internal error.", exc_info=True)
            why = missing_module(error) if isinstance(error, ModuleNotFoundError) else type(error).__name__
            verdict = self._blocked(blank, f"Internal error: {why}.", failed=True)
        if on_progress is not None:
            on_progress(verdict.action, 1.0)
        return replace(verdict, seconds=time.monotonic() - started)

    def check(self, text: str, *, syntax: SyntaxName = "plain") -> Risk:
        """The risk of a prompt with the share of each word (offsets into `text`).

        The highest value over everything the prompt can turn into. Raises UsageError, ScorerError, ModelFileError.
        """
        return self.explain(text, syntax=syntax)[1]

    def explain(self, text: str, *, syntax: SyntaxName = "plain") -> tuple[Judgement, Risk]:
        """What the gate finds in a prompt under this policy, and the risk as `check` gives it; raises as it does."""
        judgement = self.judge(text, syntax=syntax)
        if not judgement.worst:
            return judgement, judgement.risk
        marked = self.parts.scorer().score([judgement.worst], words=True)[0]
        return judgement, replace(judgement.risk, words=words_in(text, marked.words))

    def judge(self, text: str, *, syntax: SyntaxName = "plain") -> Judgement:
        """What the gate finds in a prompt under this policy, without rewriting. Raises as `check` does."""
        _check_arguments(text, "", syntax, None)
        return self._judge(_parse(text, syntax))

    def unload(self) -> None:
        """Free the engine's memory; the next risky prompt loads it again."""
        self.parts.unload()

    def close(self) -> None:
        """Stop the engine and close the cache; `parts` that were passed in stay open for their other users."""
        self._pool.shutdown(wait=False)
        if self._owns_parts:
            self.parts.close()
        self._memory.close()

    def __enter__(self) -> SafePrompter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _judge(self, parsed: ParsedPrompt) -> Judgement:
        return judge([parsed], self.policy, self.parts.scorer())[0]

    def _judged(
        self,
        blank: Verdict,
        syntax: SyntaxName,
        end: float,
        cancelled: Callable[[], bool] | None,
        on_progress: Progress | None,
    ) -> Verdict:
        parsed = _parse(blank.original, syntax)
        remembered = self._memory.recall(blank, syntax)
        if remembered is not None:
            return remembered
        timings: dict[str, float] = {}
        if on_progress is not None:
            on_progress("judge", 0.02)
        gate = time.monotonic()
        judgement = self._judge(parsed)
        timings["judge"] = time.monotonic() - gate
        known = replace(blank, risk_before=judgement.risk, timings=timings, model=self._memory.identity())
        if judgement.forbidden is not None:
            return self._blocked(known, judgement.forbidden)
        if not judgement.flagged:
            return replace(
                known, text=blank.original, action="pass", risk_after=judgement.risk, similarity=1.0
            )
        try:
            return self._rewritten(known, parsed, judgement, syntax, end, cancelled, on_progress)
        except CancelledError:
            raise
        except PosiError as error:
            return self._blocked(known, f"{_sentence(judgement.why())} {error}", failed=True)

    def _rewritten(
        self,
        known: Verdict,
        parsed: ParsedPrompt,
        judgement: Judgement,
        syntax: SyntaxName,
        end: float,
        cancelled: Callable[[], bool] | None,
        on_progress: Progress | None,
    ) -> Verdict:
        timings = dict(known.timings)
        search = Search(
            original=parsed,
            judgement=judgement,
            policy=self.policy,
            scorer=self.parts.scorer(),
            encoder=self.parts.encoder(),
            rewriter=self.parts.rewriter(),
            parse=lambda text: _parse(text, syntax),
            pool=self._pool,
            deadline=end,
            cancelled=cancelled,
            on_progress=on_progress,
            timings=timings,
        )
        found = search.run()
        known = replace(known, timings=timings)
        if found is None:
            verdict = self._blocked(known, _no_wording(judgement, search))
        else:
            verdict = replace(
                known,
                text=found.text,
                action="rewrite",
                risk_after=found.judgement.risk,
                similarity=found.similarity,
                changes=changes_between(known.original, found.text),
                reason=f"{_sentence(judgement.why())} Rewritten: {found.origin}.",
            )
        if search.complete:
            self._memory.keep(verdict, syntax)
        return verdict

    def _bare(
        self,
        blank: Verdict,
        syntax: SyntaxName,
        end: float,
        cancelled: Callable[[], bool] | None,
        on_progress: Progress | None,
    ) -> Verdict:
        parsed = _parse(blank.original, syntax)
        forbidden = minors_reason(readings_of(parsed.judged()))
        if forbidden is not None:
            return self._blocked(blank, forbidden)
        rewriter = self.parts.rewriter()
        rewrites: list[str | None] = []
        for done, segment in enumerate(parsed.segments):
            if on_progress is not None:
                on_progress("rewrite", done / len(parsed.segments))
            answer = rewriter.rewrite(segment, deadline=end, cancelled=cancelled)
            rewrites.append(answer[0] if answer and answer[0] != segment else None)
        text = parsed.restore(rewrites)
        return replace(
            blank,
            text=text,
            action="rewrite",
            changes=changes_between(blank.original, text),
            reason="Bare rewrite: neither judged nor verified.",
            model=rewriter.identity,
        )

    def _blocked(self, known: Verdict, reason: str, *, failed: bool = False) -> Verdict:
        text = self.policy.replacement if self.policy.on_block == "replace" else ""
        return replace(
            known, text=text, action="block", reason=reason, changes=(), similarity=None, failed=failed
        )


def verdict_or_raise(verdict: Verdict, policy: Policy) -> Verdict:
    """The verdict, or BlockedError with its reason where the policy wants a block to stop the run."""
    if verdict.blocked and policy.on_block == "raise":
        raise BlockedError(verdict.reason)
    return verdict


def _check_arguments(text: str, negative: str, syntax: str, deadline: float | None) -> None:
    from ..syntax import SyntaxName

    for name, value in (("text", text), ("negative", negative)):
        if not isinstance(value, str):
            raise UsageError(f"{name} is a {type(value).__name__}: a prompt is a text.")
    if syntax not in get_args(SyntaxName):
        raise UsageError(f"syntax is {str(syntax)[:40]!r}: one of {', '.join(get_args(SyntaxName))}.")
    if deadline is not None and not deadline > 0:
        raise UsageError(f"deadline is {deadline!r}: seconds above 0.")


def _parse(text: str, syntax: SyntaxName) -> ParsedPrompt:
    from ..syntax import parse

    return parse(text, syntax)


def _joined(negative: str, additions: str) -> str:
    if not additions or additions in negative:
        return negative
    return f"{negative.rstrip().rstrip(',')}, {additions}" if negative.strip() else additions


def _no_wording(judgement: Judgement, search: Search) -> str:
    nearest: Candidate | None = search.nearest()
    if nearest is None:
        return f"{_sentence(judgement.why())} The rewriter proposed nothing usable."
    if nearest.judgement.flagged:
        return f"{_sentence(judgement.why())} No rewrite is under the limits; the nearest: {nearest.judgement.why()}."
    return (
        f"{_sentence(judgement.why())} What is under the limits no longer says what the prompt says: similarity "
        f"{nearest.similarity:.2f} (at least {search.policy.similarity_floor:.2f})."
    )


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}." if clause and not clause.endswith(".") else clause
