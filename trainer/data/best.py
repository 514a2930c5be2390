"""Pairs of prompts and the best of the rewriter's own samples (expert iteration, Anthony et al. 2017).

Policy gradients learn little from a small model's samples: most of what varies in them is noise, so that the first
thing they teach is to copy. Here a reward chooses the best of some candidates a prompt, SFT goes on with the chosen
ones, and what was the best of many becomes the usual answer. PPO then starts from there. Guided candidates, which
avoid the words that the scorer blames, change the same word in the same way each time: the greedy answer learns more
from them than from samples, whose best edits are rare ones.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...posi_core.errors import UsageError
from ...posi_core.safe_prompt.reverting import least_changed
from ..evaluation.names import has_names
from ..journal import drop_cut_line
from ..rewards.faults import new_words
from ..rewards.protocol import Reward
from .favourites import Favourites
from .sources import write_rows
from .split import text_key

if TYPE_CHECKING:
    from ...posi_core.rewriter import Rewriter
    from .guided import Guide

_SEEN_TWICE = 2
"""A word is not common yet."""

Search = Callable[[str], str]
"""What the whole pipeline makes of a prompt; empty where it blocks."""

JOURNAL, TRAIN, VALIDATION = "chosen.jsonl", "best_train.jsonl.gz", "best_validation.jsonl.gz"


@dataclass(frozen=True)
class BestOf:
    """`samples` rewrites a prompt at `temperature`, besides a known answer and the prompt itself.

    With samples, a guide or a search the greedy rewrite takes part too; without any nothing is generated, and the
    reward only sorts known pairs.

    A prompt with a predicted risk of at most `harmless` is its own answer, and nothing is guided where the greedy
    rewrite is as harmless. Another pair is kept when its rewrite scores `gain` more than the prompt itself and has a
    risk of at most `most_risk`, unless it brings in a word that is new in more than `common` of the pairs so far, in
    three at least: a reward that likes "peace" would have everything become peaceful. Words that the greedy rewrites
    bring in everywhere already cost `favourites`, see there.
    Where the choice scores `gain` more than the greedy rewrite, that is its `rejected` side, for `posi train dpo`.
    """

    samples: int = 0
    temperature: float = 0.9
    gain: float = 0.25
    most_risk: float = 0.4
    harmless: float = 0.2
    common: float = 0.04
    favourites: float = 0.0
    validation_share: float = 0.04
    seed: int = 0


def best_of(
    prompts: Sequence[str],
    out: Path,
    rewriter: Rewriter,
    reward: Reward,
    settings: BestOf,
    *,
    known: Mapping[str, str] | None = None,
    guide: Guide | None = None,
    search: Search | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> dict[str, int]:
    """Choose for every prompt, then write the pairs fit for SFT into `out`; returns counts of what became of them.

    `known` are answers by prompt, a teacher's for instance, which take part in the choice. Each choice is a line of
    `out`/chosen.jsonl as soon as it is made; calling again goes on after the last one.
    `reward` must report its part "risk", as the distilled one does (UsageError).
    """
    journal = out / JOURNAL
    out.mkdir(parents=True, exist_ok=True)
    rows = read_journal(journal)
    done = {text_key(row["toxic"]) for row in rows}
    if settings.favourites:
        reward = Favourites(reward, settings.favourites, rows)
    todo = [text for text in dict.fromkeys(prompts) if text_key(text) not in done]
    progress(len(prompts) - len(todo))
    with journal.open("a", encoding="utf-8") as file:
        for prompt in todo:
            row = choose(prompt, rewriter, reward, settings, (known or {}).get(prompt), guide, search)
            if isinstance(reward, Favourites):
                reward.add(row)
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            progress(1)
    return write_pairs(read_journal(journal), out, settings)


def choose(
    prompt: str,
    rewriter: Rewriter,
    reward: Reward,
    settings: BestOf,
    known: str | None = None,
    guide: Guide | None = None,
    search: Search | None = None,
) -> dict[str, Any]:
    """One journal row: the best text with its score and risk, and the prompt's own."""
    texts, greedy = [prompt], None
    if settings.samples or guide is not None or search is not None:
        greedy = next(iter(rewriter.rewrite(prompt)), None)
    if not _is_harmless(prompt, prompt, reward, settings):
        enough = greedy is not None and _is_harmless(prompt, greedy, reward, settings)
        found = [known, greedy, *_candidates(prompt, rewriter, reward, settings, None if enough else guide)]
        if search is not None and not enough:
            found.append(search(prompt))
        names = guide.harmless(prompt) if guide is not None else ()
        texts += [text for text in dict.fromkeys(found) if text and text != prompt and has_names(text, names)]
    judged = reward([prompt] * len(texts), texts)
    best = int(judged.scores.argmax())
    if texts[best] not in (prompt, known):
        fewer = _fewer_changes(prompt, texts[best], float(judged.scores[best]), greedy, reward)
        texts = [prompt, texts[best], *fewer]
        judged = reward([prompt] * len(texts), texts)
        best = int(judged.scores.argmax())
    rejected = {}
    if greedy is not None:
        (score,) = reward([prompt], [greedy]).scores
        rejected = {"greedy": greedy, "greedy_score": round(float(score), 4)}
    return {
        "toxic": prompt,
        "clean": texts[best],
        "score": round(float(judged.scores[best]), 4),
        "risk": round(float(judged.parts["risk"][best]), 4),
        "own_score": round(float(judged.scores[0]), 4),
        "own_risk": round(float(judged.parts["risk"][0]), 4),
        **rejected,
    }


def _fewer_changes(prompt: str, text: str, score: float, greedy: str | None, reward: Reward) -> list[str]:
    """`text`, which scores `score`, without the changes for which it is not paid: they would be taught as well."""

    def worth(texts: Sequence[str]) -> list[float | None]:
        scores = reward([prompt] * len(texts), texts).scores.tolist()
        return [found if found >= score else None for found in scores]

    return least_changed(prompt, text, greedy, worth)


def _is_harmless(prompt: str, text: str, reward: Reward, settings: BestOf) -> bool:
    parts = reward([prompt], [text]).parts
    if "risk" not in parts:
        raise UsageError("best-of-n needs a reward with a part named risk: use the distilled one")
    return bool(parts["risk"][0] <= settings.harmless)


def _candidates(
    prompt: str, rewriter: Rewriter, reward: Reward, settings: BestOf, guide: Guide | None
) -> list[str]:
    texts: list[str] = []
    if settings.samples:
        texts += rewriter.rewrite(
            prompt, n=settings.samples, temperature=settings.temperature, seed=settings.seed
        )
    if guide is not None:
        texts += guide.propose(
            prompt,
            rewriter,
            lambda found: found[int(reward([prompt] * len(found), found).scores.argmax())],
        )
    return texts


def fate(row: dict[str, Any], settings: BestOf) -> str:
    """Why a journal row is no training pair, or "better" or "unchanged" when it is one."""
    if row["clean"] == row["toxic"]:
        return "unchanged" if row["risk"] <= settings.harmless else "nothing better, but risky"
    if row["score"] < row["own_score"] + settings.gain:
        return "hardly better"
    return "better" if row["risk"] <= settings.most_risk else "still risky"


def write_pairs(rows: Sequence[dict[str, Any]], out: Path, settings: BestOf) -> dict[str, int]:
    """Write the two gzip files of pairs; a fixed part of the prompts, by their order, is for validation."""
    fates = _without_common_words(rows, [fate(row, settings) for row in rows], settings.common)
    pairs = [
        {"toxic": row["toxic"], "clean": row["clean"], "source": "best", **_rejected(row, settings)}
        for row, what in zip(rows, fates, strict=True)
        if what in ("better", "unchanged")
    ]
    every = round(1 / settings.validation_share)
    write_rows(out / TRAIN, [pair for place, pair in enumerate(pairs) if place % every])
    write_rows(out / VALIDATION, pairs[::every])
    return dict(Counter(fates))


def _without_common_words(rows: Sequence[Mapping[str, Any]], fates: list[str], share: float) -> list[str]:
    """`fates`, in order, with "a common word" for a better rewrite that brings in a word that many others did.

    A word of the greedy rewrite is no news: the pair does not teach it.
    """
    found: list[str] = []
    counts: Counter[str] = Counter()
    pairs = 0
    for row, what in zip(rows, fates, strict=True):
        if what == "better":
            new = new_words(f"{row['toxic']} {row.get('greedy', '')}", row["clean"])
            if any(counts[word] + 1 > max(share * (pairs + 1), _SEEN_TWICE) for word in new):
                what = "a common word"
            else:
                counts.update(new)
                pairs += 1
        found.append(what)
    return found


def _rejected(row: Mapping[str, Any], settings: BestOf) -> dict[str, str]:
    if "greedy" not in row or row["score"] < row["greedy_score"] + settings.gain:
        return {}
    return {"rejected": row["greedy"]}


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The rows so far."""
    drop_cut_line(path)
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
