"""`posi data teach`: ask for the clean twins of a file of prompts, keep the good ones, resume after a stop."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...posi_core.errors import PosiError, UsageError
from ..data.split import text_key
from ..journal import drop_cut_line
from .endpoint import INSTRUCTION, RateLimit, Teacher
from .judge import Standard, clean, judge

if TYPE_CHECKING:
    from ...posi_core.risk import Scorer
    from ...posi_core.similarity import Encoder

KEY = "POSI_API_KEY"
_CHARACTERS_A_TOKEN = 4.0


@dataclass(frozen=True)
class TeachSettings:
    """`concurrency` requests at once, `per_minute` at most (0: no limit); prices in dollars a million tokens."""

    base_url: str
    model: str
    concurrency: int = 8
    per_minute: float = 0.0
    attempts: int = 5
    backoff: float = 1.0
    timeout: float = 60.0
    price_in: float = 0.0
    price_out: float = 0.0
    standard: Standard = field(default_factory=Standard)


@dataclass(frozen=True)
class Estimate:
    """Expected tokens and cost of asking for `prompts` twins, from text lengths (four characters a token)."""

    prompts: int
    tokens_in: int
    tokens_out: int
    dollars: float


def estimate(prompts: Sequence[str], settings: TeachSettings) -> Estimate:
    """What a run will cost, before anything is sent."""
    characters = sum(map(len, prompts))
    tokens_in = round((characters + len(INSTRUCTION) * len(prompts)) / _CHARACTERS_A_TOKEN)
    tokens_out = round(characters / _CHARACTERS_A_TOKEN)
    dollars = (tokens_in * settings.price_in + tokens_out * settings.price_out) / 1e6
    return Estimate(len(prompts), tokens_in, tokens_out, dollars)


def remaining(prompts: Sequence[str], out: Path) -> list[str]:
    """Prompts, without repeats, that have no row in `out` yet; a last row cut off by a kill counts as absent."""
    drop_cut_line(out)
    done = {text_key(row["toxic"]) for row in _rows(out)}
    return [text for text in dict.fromkeys(prompts) if text_key(text) not in done]


def teach(
    prompts: Sequence[str],
    out: Path,
    settings: TeachSettings,
    scorer: Scorer,
    encoder: Encoder,
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> dict[str, int]:
    """Append one row a prompt to `out`: {"toxic", "clean", "dropped"}, `dropped` "" for a pair fit for training.

    Returns the count of rows by reason over the whole file, "kept" for the good ones. What was answered before an
    error or ctrl-C is in the file; calling again asks only for the rest. The key comes from the environment
    variable POSI_API_KEY alone and is written nowhere.
    """
    todo = remaining(prompts, out)
    if todo:
        asyncio.run(_ask_all(todo, out, settings, scorer, encoder, progress))
    counts = Counter(row["dropped"] or "kept" for row in _rows(out))
    return dict(counts)


async def _ask_all(
    todo: Sequence[str],
    out: Path,
    settings: TeachSettings,
    scorer: Scorer,
    encoder: Encoder,
    progress: Callable[[int], None],
) -> None:
    import httpx

    key = os.environ.get(KEY, "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    out.parent.mkdir(parents=True, exist_ok=True)
    waiting = iter(todo)
    async with httpx.AsyncClient(headers=headers, timeout=settings.timeout) as client:
        limit = RateLimit(settings.per_minute)
        teacher = Teacher(
            client,
            settings.base_url,
            settings.model,
            limit=limit,
            attempts=settings.attempts,
            backoff=settings.backoff,
        )
        with out.open("a", encoding="utf-8") as file:

            async def work() -> None:
                for prompt in waiting:
                    answer, usage = await teacher.ask(prompt)
                    text = clean(answer)
                    reason = judge([prompt], [text], scorer, encoder, settings.standard)[0]
                    row = {
                        "toxic": prompt,
                        "clean": text,
                        "dropped": reason,
                        "tokens": usage.prompt + usage.completion,
                    }
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                    file.flush()
                    progress(1)

            tasks = [asyncio.create_task(work()) for _ in range(settings.concurrency)]
            try:
                await asyncio.gather(*tasks)
            except PosiError:
                # The first failure ends the run; answers under way are given up, written ones stay.
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                raise


def _rows(path: Path) -> list[dict[str, Any]]:
    rows = []
    if path.is_file():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
                rows.append({"toxic": row["toxic"], "clean": row["clean"], "dropped": row["dropped"]})
            except (ValueError, KeyError, TypeError):
                raise UsageError(
                    f"{path}, line {number}: not a row of this command; name another --out"
                ) from None
    return rows
