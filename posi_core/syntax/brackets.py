"""Pairs of brackets and the choices among them, shared by the readers of both hosts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .cells import Group, Kind, Mark

MAX_CHOICE_DEPTH = 40
_NUMBER = re.compile(r"\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*")
_OPTION_WEIGHT = re.compile(r"\s*(?:\d+(?:\.\d*)?|\.\d+)::")
_BRACE_HEAD = re.compile(r"\s*\d*(?:-\d*)?\$\$(?:[^|{}$]{0,20}\$\$)?")


@dataclass
class Pair:
    """Brackets at view positions; the closing mark covers [close_start, close_end), -1 if there is none."""

    bracket: str
    open: int
    open_end: int
    close_start: int = -1
    close_end: int = -1
    bars: list[int] = field(default_factory=list)
    colons: list[int] = field(default_factory=list)
    crossing: bool = False


class Event(NamedTuple):
    position: int
    what: str  # "open", "close", "|" or ":"
    pair: int = -1


def attach_separators(pairs: Sequence[Pair], events: Sequence[Event]) -> None:
    """Give each `|` and `:` to the innermost properly nested bracket, and flag brackets that overlap others.

    The schedule grammar of A1111 has no place for overlapping or unpaired brackets inside a choice, so such
    brackets can only weigh text.
    """
    stack: list[int] = []
    choice_depth = 0
    for event in events:
        if event.what in "|:":
            if stack and pairs[stack[-1]].bracket != "(":
                pair = pairs[stack[-1]]
                (pair.bars if event.what == "|" else pair.colons).append(event.position)
        elif event.what == "open":
            pair = pairs[event.pair]
            if pair.close_start < 0:
                for index in stack:
                    pairs[index].crossing = True
                stack.clear()
                choice_depth = 0
                continue
            stack.append(event.pair)
            choice_depth += pair.bracket != "("
            if choice_depth > MAX_CHOICE_DEPTH:
                pair.crossing = True
        elif event.pair in stack[-1:]:
            stack.pop()
            choice_depth -= pairs[event.pair].bracket != "("
        elif not pairs[event.pair].crossing:
            pairs[event.pair].crossing = True
            while stack and stack[-1] != event.pair:
                index = stack.pop()
                pairs[index].crossing = True
                choice_depth -= pairs[index].bracket != "("
            if stack:
                stack.pop()
                choice_depth -= pairs[event.pair].bracket != "("


def marks_of(text: str, pairs: Sequence[Pair]) -> tuple[list[Mark], list[Group]]:
    """Marks and groups of `pairs`, once their separators are attached."""
    marks: list[Mark] = []
    groups: list[Group] = []
    for number, pair in enumerate(pairs):
        kind = "weight" if pair.bracket != "{" else "brace"
        group = Group("weight" if kind == "weight" else "brace", pair.bracket)
        groups.append(group)
        open_end, close_start = pair.open_end, pair.close_start
        if close_start >= 0 and not pair.crossing:
            seps: list[tuple[int, int]] = []
            if pair.bracket == "[":
                if pair.bars and not pair.colons:
                    group.kind = "choice"
                    seps = [(bar, bar + 1) for bar in pair.bars]
                elif not pair.bars and 1 <= len(pair.colons) <= 2 and _is_when(text, pair):
                    group.kind = "choice"
                    seps = [(colon, colon + 1) for colon in pair.colons[:-1]]
                    group.leading_empty = not seps
                    close_start = pair.colons[-1]
            elif pair.bracket == "{":
                head = _BRACE_HEAD.match(text, open_end, pair.bars[0] if pair.bars else close_start)
                if head:
                    open_end = head.end()
                if pair.bars:
                    group.kind = "choice"
                    ends = [*pair.bars[1:], close_start]
                    open_end = _past_weight(text, open_end, pair.bars[0])
                    seps = [
                        (bar, _past_weight(text, bar + 1, end))
                        for bar, end in zip(pair.bars, ends, strict=True)
                    ]
            marks.extend(Mark(start, end, Kind.SEP, number) for start, end in seps)
        marks.append(Mark(pair.open, open_end, Kind.OPEN, number))
        if close_start >= 0:
            marks.append(Mark(close_start, pair.close_end, Kind.CLOSE, number))
    return marks, groups


def _is_when(text: str, pair: Pair) -> bool:
    start = pair.colons[-1] + 1
    return pair.close_start - start <= 40 and bool(_NUMBER.fullmatch(text, start, pair.close_start))


def _past_weight(text: str, start: int, end: int) -> int:
    match = _OPTION_WEIGHT.match(text, start, end)
    return match.end() if match else start
