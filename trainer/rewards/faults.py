"""Faults of a rewrite that a risk or similarity score does not see: each a function of two texts, in [0, 1]."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from ..evaluation.names import has_names

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")

_CHATTER = re.compile(
    r"^\s*(?:here(?:'s| is| are)\b|sure\b[,!:]|certainly\b|of course\b[,!]|i(?:'m| am) sorry\b|i can(?:no|')t\b|"
    r"as an ai\b|rewritten(?: prompt)?\s*:|safe(?: version| prompt)?\s*:|output\s*:|note\s*:)",
    re.IGNORECASE,
)

PRAISE = frozenset(
    """
    amazing astonishing awe-inspiring beautiful beautifully breathtaking captivating celebrate celebrated
    celebrates celebrating celebration celebratory charming cheerful confident confidently delightful enchanting
    enjoy enjoying enjoys exquisite fascinating friendly gorgeous graceful happily happiness happy harmonious
    healthy heartwarming inspiring joy joyful joyous lovely magical magnificent majestic mesmerizing peaceful
    peacefully positive positively remarkable respectful respectfully serene serenely spectacular striking
    stunning stylish sustainable uplifting vibrant whimsical wonderful
    """.split()  # noqa: SIM905
)
"""Words with which a model pleases a judge without saying anything (seen in rewrites of several policies)."""


def words(text: str) -> list[str]:
    """The words of a text in lower case."""
    return [match.group().lower() for match in _WORD.finditer(text)]


def empty(rewrite: str) -> float:
    """1.0 when no word is left."""
    return float(not words(rewrite))


def chatty(rewrite: str) -> float:
    """1.0 when the model speaks to the user instead of writing a prompt."""
    return float(bool(_CHATTER.match(rewrite)))


def runaway(original: str, rewrite: str) -> float:
    """How far the rewrite repeats itself or outgrows the original.

    The larger of: the share of word trigrams that are repeats (beyond those the original repeats too), and the
    words beyond 1.5 times the original's number plus 5, as a share of that allowance.
    """
    mine = words(rewrite)
    allowed = 1.5 * len(words(original)) + 5
    growth = min(max(len(mine) - allowed, 0.0) / allowed, 1.0)
    trigrams = Counter(zip(mine, mine[1:], mine[2:], strict=False))
    theirs = words(original)
    known = Counter(zip(theirs, theirs[1:], theirs[2:], strict=False))
    repeats = sum(max(count - max(known[gram], 1), 0) for gram, count in trigrams.items())
    return max(growth, repeats / max(sum(trigrams.values()), 1))


def added_praise(original: str, rewrite: str) -> float:
    """Words of praise that the original does not have, as a share of the rewrite's words."""
    mine = words(rewrite)
    extra = Counter(word for word in mine if word in PRAISE)
    extra.subtract(word for word in words(original) if word in PRAISE)
    return sum(count for count in extra.values() if count > 0) / max(len(mine), 1)


def padding(original: str, rewrite: str) -> float:
    """Words added beyond those removed, as a share of the original's words, at most 1.

    Replacing words costs nothing here; only making the prompt longer does.
    """
    before, after = Counter(words(original)), Counter(words(rewrite))
    added = sum((after - before).values())
    removed = sum((before - after).values())
    return min(max(added - removed, 0) / max(sum(before.values()), 1), 1.0)


def garbled(original: str, rewrite: str, pieces: Callable[[str], int]) -> float:
    """0.5 for one new word that is none ("pauldelvaux", "dainctic"), 1.0 for more.

    `pieces` tells into how many pieces a tokenizer of English cuts a word: three or more are a rare word at best,
    and a rewrite that needs one that its prompt did not have is nearly always a name gone wrong.
    """
    new = {word for word in words(rewrite) if len(word) > 3} - set(words(original))
    return min(sum(_most_pieces(word, pieces) >= 3 for word in new), 2) / 2


def _most_pieces(word: str, pieces: Callable[[str], int]) -> int:
    """Of its part with most pieces: "leopard-inspired" is two words."""
    return max(pieces(part) for part in re.split(r"['’-]", word) if part)


_ARTICLES = frozenset(("a", "an", "the"))


def overused(originals: Sequence[str], rewrites: Sequence[str]) -> list[float]:
    """For each rewrite, how common its new words are among the rewrites of the batch's other prompts.

    A word's share is the mean, over the other prompts, of the part of their rewrites that bring it in too; the value
    is the sum over a rewrite's new words, at most 1. "celebration" that replaces a tenth of everything is no rewriting.
    A compound counts by its parts: a policy once wrote "flower-filled", "flower-shaped" and "flower-loving" everywhere.
    """
    new = [new_words(a, b) for a, b in zip(originals, rewrites, strict=True)]
    answers = Counter(originals)
    mine: dict[str, Counter[str]] = {original: Counter() for original in answers}
    for original, found in zip(originals, new, strict=True):
        mine[original].update(found)
    total: dict[str, float] = {}
    for original, counts in mine.items():
        for word, count in counts.items():
            total[word] = total.get(word, 0.0) + count / answers[original]
    others = max(len(answers) - 1, 1)
    return [
        min(sum(total[word] - mine[original][word] / answers[original] for word in found) / others, 1.0)
        for original, found in zip(originals, new, strict=True)
    ]


def new_words(original: str, rewrite: str) -> set[str]:
    """Words that `rewrite` has more often than `original`, compounds as their parts; articles, which come and go with
    their nouns, and single letters left out.

    Every word that did not count was found out: of three letters ("a hat" in 174 of 298 rewrites), of grammar ("and" in
    296), and those that the prompt has once already.
    """
    more = Counter(_parts(rewrite)) - Counter(_parts(original))
    return set(more) - _ARTICLES


def _parts(text: str) -> list[str]:
    return [part for word in words(text) for part in word.split("-") if len(part) > 1]


def copied(original: str, rewrite: str) -> float:
    """1.0 when the rewrite has the same words in the same order as the original."""
    return float(words(original) == words(rewrite))


def lost_names(names: Sequence[str], rewrite: str) -> float:
    """Share of `names` (lower case: those of the original that carry no risk) that the rewrite lost."""
    if not names:
        return 0.0
    return sum(not has_names(rewrite, (name,)) for name in names) / len(names)


def lost_words(keep: frozenset[str], rewrite: str) -> float:
    """Share of the words in `keep` (lower case: the original's harmless words) that the rewrite lost."""
    if not keep:
        return 0.0
    return len(keep - set(words(rewrite))) / len(keep)
