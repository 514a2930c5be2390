"""Reads prompts as ComfyUI does (comfy/sd1_clip.py), with the tags that its add-ons read.

Only round brackets weigh; the last `:` of a bracket is its weight if what follows is a number. Where the
brackets do not pair, the host has rules of its own, followed here to the letter: a surplus `)` makes the next
`(` text; a bracket still open at the end is text, unless the prompt ends in `)`, which then closes it. The
front end expands `{a|b}`.
"""

from __future__ import annotations

import heapq
import re

from .brackets import Event, Pair, attach_separators, marks_of
from .cells import Layout, assemble
from .tags import COMFY_KINDS, as_words, embedding_marks, split_tags

_LONGEST_NUMBER = 400


def read(text: str) -> Layout:
    view, networks, wildcards = split_tags(text, COMFY_KINDS)
    seen = view.text
    escapes = {m.start(): (2, m[0][1]) for m in re.finditer(r"\\[(){}]", seen)}
    pairs, loose = _round(seen, escapes)
    pairs += _curly(seen, escapes)
    events = [Event(p.open, "open", n) for n, p in enumerate(pairs)]
    events += [Event(p.close_end - 1, "close", n) for n, p in enumerate(pairs)]
    events += [Event(m.start(), m[0]) for m in re.finditer(r"(?<!\\)\|", seen)]
    events.sort()
    attach_separators(pairs, events)
    marks, groups = marks_of(seen, pairs)
    embeddings = embedding_marks(seen, marks)
    names = [seen[m.start : m.end].partition(":")[2].strip() for m in embeddings]
    cells = assemble(view, marks + embeddings, groups, escapes, loose.__contains__)
    # A host without the add-on reads the text of a tag: long names are judged as what they would then be.
    wordy = [name for name in networks if len(re.findall(r"[^\W\d_]{2,}", name)) >= 3]
    return Layout(cells, groups, tuple(networks + names), tuple(as_words(n) for n in wildcards + wordy))


def _round(text: str, escapes: dict[int, tuple[int, str]]) -> tuple[list[Pair], set[int]]:
    """Pairs of round brackets and the brackets that are text, as the host's recursion would find them."""
    loose: set[int] = set()
    stack: list[int] = []
    partner: dict[int, int] = {}  # closing -> opening
    level = 0
    for match in re.finditer(r"[()]", text):
        i = match.start()
        if i - 1 in escapes:
            continue
        if match[0] == "(":
            if level < 0:
                loose.add(i)
            else:
                stack.append(i)
            level += 1
        else:
            if level <= 0:
                loose.add(i)
            else:
                partner[i] = stack.pop()
            level -= 1
    colon_before = _last_colons(text)
    pairs: list[Pair] = []
    limit = len(text)
    heapq.heapify(stack)
    while stack:  # the first bracket still open runs to the end of its range
        opening = heapq.heappop(stack)
        last = limit - 1
        if last > opening and text[last] == ")" and last - 1 not in escapes:
            heapq.heappush(stack, partner.pop(last))
            close = _weight(text, opening, last, colon_before)
            pairs.append(Pair("(", opening, opening + 1, close, last + 1))
            limit = close
        else:
            loose.update(i for i in range(opening, limit) if text[i] in "()" and i - 1 not in escapes)
            partner = {c: o for c, o in partner.items() if c < opening or c >= limit}
            break
    for closing, opening in partner.items():
        close = _weight(text, opening, closing, colon_before)
        pairs.append(Pair("(", opening, opening + 1, close, closing + 1))
    return pairs, loose


def _last_colons(text: str) -> list[int]:
    """For each position the last colon before it, or -1."""
    result, last = [], -1
    for i, char in enumerate(text):
        result.append(last)
        if char == ":":
            last = i
    return [*result, last]


def _weight(text: str, opening: int, closing: int, colon_before: list[int]) -> int:
    colon = colon_before[closing]
    if opening + 2 <= colon and closing - colon <= _LONGEST_NUMBER:
        try:
            float(text[colon + 1 : closing])
        except ValueError:
            return closing
        return colon
    return closing


def _curly(text: str, escapes: dict[int, tuple[int, str]]) -> list[Pair]:
    pairs: list[Pair] = []
    stack: list[int] = []
    for match in re.finditer(r"[{}]", text):
        i = match.start()
        if i - 1 in escapes:
            continue
        if match[0] == "{":
            stack.append(i)
        elif stack:
            opening = stack.pop()
            pairs.append(Pair("{", opening, opening + 1, i, i + 1))
    return pairs
