"""Reads prompts as AUTOMATIC1111 and Forge do (modules/extra_networks.py, modules/prompt_parser.py).

Order of the host: networks out, AND parts with their weight, schedules and alternations, then attention with
BREAK. Round and square brackets pair independently of each other; an opening bracket that never closes weighs
everything after it and is not text, a closing one without partner is text; a backslash that escapes nothing
disappears. `{a|b}`, `__wildcard__` and `${…}` are read as the dynamic-prompts extension does. `#` comments
are taken for text, since the host can be told to keep them.
"""

from __future__ import annotations

import re

from .brackets import Event, Pair, attach_separators, marks_of
from .cells import Kind, Layout, Mark, assemble
from .tags import as_words, embedding_marks, split_tags

_CHUNK = re.compile(r"\b(AND|BREAK)\b")
_PART_WEIGHT = re.compile(r":\s*[-+]?(?:\d+\.?|\d*\.\d+)")
_ASSIGN = re.compile(r"\$\{\s*\w+\s*[=:]!?")
_ESCAPED = "()[]\\"


def read(text: str) -> Layout:
    view, networks, wildcards = split_tags(text)
    seen = view.text
    marks = [Mark(*m.span(), Kind.BREAK) for m in _CHUNK.finditer(seen)]
    escapes: dict[int, tuple[int, str]] = {}
    pairs: list[Pair] = []
    events: list[Event] = []
    loose: set[int] = set()
    start = 0
    for match in [*(m for m in _CHUNK.finditer(seen) if m[1] == "AND"), None]:
        end = match.start() if match else len(seen)
        stop = _part_weight(seen, start, end)
        if stop < end:
            marks.append(Mark(stop, len(seen[:end].rstrip()), Kind.PART_WEIGHT))
        _scan(seen, start, stop, pairs, events, escapes, loose)
        start = match.end() if match else end
    attach_separators(pairs, events)
    bracket_marks, groups = marks_of(seen, pairs)
    # The host reads `embedding:name` as text, but prompts bring it from ComfyUI; so it is kept and judged.
    embeddings = embedding_marks(seen, marks + bracket_marks)
    names = [seen[m.start : m.end].partition(":")[2].strip() for m in embeddings]
    cells = assemble(view, [*marks, *bracket_marks, *embeddings], groups, escapes, loose.__contains__)
    return Layout(cells, groups, tuple(networks + names), tuple(as_words(n) for n in wildcards + names))


def _part_weight(text: str, start: int, end: int) -> int:
    """Where the ":weight" at the end of an AND part begins, or `end`."""
    trimmed = end
    while trimmed > start and text[trimmed - 1].isspace():
        trimmed -= 1
    colon = text.rfind(":", start, trimmed)
    return colon if colon >= 0 and _PART_WEIGHT.fullmatch(text, colon, trimmed) else end


def _scan(
    text: str,
    start: int,
    end: int,
    pairs: list[Pair],
    events: list[Event],
    escapes: dict[int, tuple[int, str]],
    loose: set[int],
) -> None:
    """Pair the brackets of one AND part."""
    stacks: dict[str, list[int]] = {"(": [], "[": [], "{": []}
    i = start
    while i < end:
        char = text[i]
        if char == "\\":
            if i + 1 < end and text[i + 1] in _ESCAPED:
                escapes[i] = (2, text[i + 1])
                i += 2
                continue
            escapes[i] = (1, "")
            if i + 1 < end and text[i + 1] in "|{}":  # the schedule grammar takes any escaped character
                i += 1
        elif char in "([" or char == "{" or (char == "$" and text.startswith("${", i)):
            assign = _ASSIGN.match(text, i, end) if char == "$" else None
            if char == "$" and not assign:
                i += 1
                continue
            bracket = "{" if assign else char
            stacks[bracket].append(len(pairs))
            events.append(Event(i, "open", len(pairs)))
            pairs.append(Pair(bracket, i, assign.end() if assign else i + 1))
            i = pairs[-1].open_end
            continue
        elif char in ")]}":
            stack = stacks[{")": "(", "]": "[", "}": "{"}[char]]
            if stack:
                number = stack.pop()
                pair = pairs[number]
                pair.close_start = _weight_start(text, pair.open_end, i) if char == ")" else i
                pair.close_end = i + 1
                events.append(Event(i, "close", number))
            elif char != "}":
                loose.add(i)
        elif char in "|:":
            events.append(Event(i, char))
        i += 1
    # An unpaired brace is text, unlike an unpaired round or square bracket.
    unpaired = set(stacks["{"])
    if unpaired:
        keep = [n for n in range(len(pairs)) if n not in unpaired]
        number_of = {old: new for new, old in enumerate(keep)}
        pairs[:] = [pairs[n] for n in keep]
        events[:] = [
            e if e.pair < 0 else e._replace(pair=number_of[e.pair]) for e in events if e.pair not in unpaired
        ]


def _weight_start(text: str, start: int, close: int) -> int:
    """Where `:1.3)` begins if the bracket closing at `close` carries a weight, else `close`."""
    i = close
    while i > start and text[i - 1].isspace():
        i -= 1
    digits = i
    while i > start and (text[i - 1] == "." or text[i - 1].isdecimal()):
        i -= 1
    if i == digits:
        return close
    if i > start and text[i - 1] in "+-":
        i -= 1
    while i > start and text[i - 1].isspace():
        i -= 1
    return i - 1 if i > start and text[i - 1] == ":" else close
