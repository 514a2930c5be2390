"""Which words to keep from the rewriter: those that the scorer blames, a few more for each candidate.

Sampling finds a safe wording by luck, and its edits fall on harmless words as often as on risky ones. A greedy
answer that may not use the words blamed for the risk is fluent, changes what matters, and is the same every time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ..verdict import WordRisk

COUNTS = (1, 2, 3, 5, 8, 12, 16, 20)
"""How many of the most blamed words each candidate avoids."""
LEAST_SHARE = 0.02
_PLAIN = frozenset(
    """
    and any are but for from her his into its not off out over she that the their them then they this through under
    was were who with
    """.split()  # noqa: SIM905
)
_LETTERS = re.compile(r"[^\W\d_]{3,}")


def words_to_avoid(
    blamed: Sequence[WordRisk], most: int, *, already: Collection[str] = (), spared: Collection[str] = ()
) -> list[frozenset[str]]:
    """At most `most` growing sets of words in lower case, the most blamed first; none when no word is to blame.

    `already` are in every set; `spared` (names, say) and words without a meaning of their own are in none.
    """
    ranked: dict[str, None] = {}
    for risk in sorted(blamed, key=lambda risk: (-risk.share, risk.start)):
        if risk.share >= LEAST_SHARE:
            for word in _LETTERS.findall(risk.word.lower()):
                if word not in _PLAIN and word not in already and word not in spared:
                    ranked[word] = None
    words = list(ranked)
    counts = [*(count for count in COUNTS if count < len(words)), len(words)] if words else []
    return [frozenset({*already, *words[:count]}) for count in counts[:most]]
