"""Which words the scorer blames: the check that it read content and not a set's style."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ....posi_core.risk import Scorer
from ....posi_core.verdict import Risk


@dataclass(frozen=True)
class BlamedWord:
    """A word over all the prompts read: in how many it stands, and its mean share there."""

    word: str
    prompts: int
    share: float


def read_words(scorer: Scorer, texts: Sequence[str]) -> list[Risk]:
    """Risks with words, one text a call so that memory stays small. Raises ScorerError."""
    return [risk for text in texts for risk in scorer.score([text], words=True)]


def blamed_words(risks: Sequence[Risk]) -> list[BlamedWord]:
    """Words by the sum of their shares, highest first."""
    found: dict[str, list[float]] = defaultdict(list)
    for risk in risks:
        for word in risk.words:
            found[word.word.casefold()].append(word.share)
    ordered = sorted(found.items(), key=lambda item: -sum(item[1]))
    return [BlamedWord(word, len(values), sum(values) / len(values)) for word, values in ordered]


def listing(texts: Sequence[str], risks: Sequence[Risk], *, top: int = 4) -> str:
    """Markdown: each prompt's risk, its category, and the words that carry most of it."""
    lines = ["| risk | category | words blamed (share) | prompt |", "| --- | --- | --- | --- |"]
    for text, risk in zip(texts, risks, strict=True):
        worst = sorted(risk.words, key=lambda word: -word.share)[:top]
        words = ", ".join(f"{word.word} ({word.share:.0%})" for word in worst if word.share >= 0.05) or "-"
        short = (text if len(text) <= 100 else f"{text[:99]}…").replace("|", "\\|").replace("\n", " ")
        lines.append(f"| {risk.overall:.2f} | {risk.top} | {words.replace('|', ' ')} | {short} |")
    summary = ", ".join(
        f"{word.word} ({word.prompts} × {word.share:.0%})" for word in blamed_words(risks)[:40]
    )
    return "\n".join([*lines, "", f"Blamed most over all of them: {summary}", ""])
