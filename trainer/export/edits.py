"""Finding the edits that a rewriter repeats, in its own rewrites."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from difflib import SequenceMatcher

from ...posi_core.engine.edits import MOST_BYTES

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\S")
_LEAST_COUNT, _LEAST_SHARE, _MOST_WORDS = 3, 0.5, 3


def repeated_edits(pairs: Iterable[tuple[str, str]]) -> str:
    """Lines of word, tab, replacement from (prompt, rewrite) pairs: see `posi_core.engine.edits`.

    A word is listed when the same was put in its place (or it was left out) in at least half of at least three
    prompts that hold it; those that save most come first, as many as fit.
    """
    seen: Counter[str] = Counter()
    made: Counter[tuple[str, str]] = Counter()
    for prompt, rewrite in pairs:
        before, after = _WORD.findall(prompt), _WORD.findall(rewrite)
        seen.update(before)
        matcher = SequenceMatcher(None, before, after, autojunk=False)
        for tag, start, end, new_start, new_end in matcher.get_opcodes():
            if tag in ("replace", "delete") and end - start == 1 and new_end - new_start <= _MOST_WORDS:
                made[before[start], " ".join(after[new_start:new_end])] += 1
    lines: list[str] = []
    size = 0
    for (word, instead), count in sorted(made.items(), key=lambda item: (-item[1], item[0])):
        if count < _LEAST_COUNT or count < _LEAST_SHARE * seen[word] or not word[0].isalpha():
            continue
        line = f"{word}\t{instead}"
        size += len(line.encode()) + 1
        if size > MOST_BYTES:
            break
        lines.append(line)
    return "\n".join(lines)
