"""Do proper names survive a rewrite? Artists and characters are what users mind losing most."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...posi_core.errors import UsageError
from .prompts.bootstrap import Estimate, mean

if TYPE_CHECKING:
    from ...posi_core.risk import Scorer
    from .prompts.sets import PromptSet

_LIST = re.compile(r"\b(?:by|style of|starring)\s+(?P<names>(?:[^.;:|()\[\]]|(?<=\b\w)\.)+)", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*,\s*(?:and\s+|by\s+)*|\s+(?:and|by|&)\s+", re.IGNORECASE)
_CAPITALS = re.compile(r"\b[A-Z][\w'’-]+(?:\s+[A-Z][\w'’-]+)+")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")

CARRIES_RISK = 0.05
"""A name whose removal lowers the predicted risk by this much carries risk: the image it stands for is the risk."""


class NameFinder:
    """Finds names by where they stand: in lists after "by" or "style of", and runs of capitalised words.

    `common` are words that make a phrase no name ("oil painting"); `common_words` takes them from captions.
    """

    def __init__(self, common: frozenset[str]) -> None:
        self.common = common

    def find(self, text: str) -> tuple[str, ...]:
        """The names in a prompt, lower case, in order, without repeats."""
        found: list[str] = []
        for match in _LIST.finditer(text):
            for phrase in _BETWEEN.split(match["names"]):
                # A list of names ends at the first phrase that is none.
                if not self._is_name(phrase):
                    break
                found.append(" ".join(_words(phrase)))
        if not text.istitle():
            found += [" ".join(_words(run)) for run in _CAPITALS.findall(text) if self._is_name(run)]
        return tuple(dict.fromkeys(found))

    def _is_name(self, phrase: str) -> bool:
        words = _words(phrase)
        return 2 <= len(words) <= 4 and not any(word in self.common for word in words)


def common_words(captions: Iterable[str], *, least: int = 3) -> frozenset[str]:
    """Words that occur in at least `least` of the captions: COCO's describe things, and name nobody."""
    counts = Counter(word for caption in captions for word in set(_words(caption)))
    return frozenset(word for word, count in counts.items() if count >= least)


@dataclass(frozen=True)
class Survival:
    """Share of names that a rewrite still has, with 95% intervals over names: of all, and of those without risk."""

    names: int
    kept: Estimate
    harmless_names: int
    harmless_kept: Estimate


def survival(
    originals: Sequence[str], rewrites: Sequence[str], finder: NameFinder, scorer: Scorer
) -> Survival | None:
    """Over pairs of prompts; None where the originals hold no name."""
    places = [(i, name) for i, original in enumerate(originals) for name in finder.find(original)]
    if not places:
        return None
    before = scorer.score(originals)
    without = scorer.score([_without(originals[i], name) for i, name in places])
    kept = [float(has_names(rewrites[i], (name,))) for i, name in places]
    harmless = [
        value
        for value, (i, _), risk in zip(kept, places, without, strict=True)
        if before[i].overall - risk.overall < CARRIES_RISK
    ]
    return Survival(
        len(kept), mean(kept), len(harmless), mean(harmless) if harmless else Estimate(0.0, 0.0, 0.0)
    )


def harmless_names(text: str, finder: NameFinder, scorer: Scorer) -> tuple[str, ...]:
    """The names of one prompt that carry no risk, lower case."""
    names = finder.find(text)
    if not names:
        return ()
    before, *without = scorer.score([text, *(_without(text, name) for name in names)])
    return tuple(
        name
        for name, risk in zip(names, without, strict=True)
        if before.overall - risk.overall < CARRIES_RISK
    )


def has_names(text: str, names: Iterable[str]) -> bool:
    """Whether all of `names` (lower case) are in `text`."""
    said = f" {' '.join(_words(text))} "
    return all(f" {name} " in said for name in names)


def _words(text: str) -> list[str]:
    return [match.group().lower() for match in _WORD.finditer(text)]


def _without(text: str, name: str) -> str:
    pattern = r"[\W_]+".join(map(re.escape, name.split()))
    return " ".join(re.sub(rf"(?i)\b(?:by\s+)?{pattern}\b", " ", text).split()) or "."


def names_of_run(folder: Path, prompts: PromptSet, source: Path) -> dict[str, Survival]:
    """By system: survival over `prompts` in a finished `posi eval prompts` run at `folder`.

    Blocked prompts are left out: nothing of them survives, by intent. Raises UsageError without such rows.
    """
    from ...posi_core.risk import load_scorer
    from ..data.sources import load_source
    from .prompts.rows import RowFile

    finder = NameFinder(common_words(row["prompt"] for row in load_source(source, "coco_captions")))
    pairs: dict[str, list[tuple[str, str]]] = {}
    for row in RowFile(folder).rows.values():
        if row.set == prompts.name and row.action != "block":
            pairs.setdefault(row.system, []).append((prompts.prompts[row.index], row.text))
    if not pairs:
        raise UsageError(
            f"{folder} holds no rows of {prompts.title}: run `posi eval prompts --out {folder}` on them first"
        )
    scorer = load_scorer()
    found = {}
    for system, both in pairs.items():
        made = survival([a for a, _ in both], [b for _, b in both], finder, scorer)
        if made is not None:
            found[system] = made
    return found
