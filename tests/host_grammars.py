"""What the hosts read in a prompt, written from their rules and independent of posi_core.syntax.

Short and slow on purpose: these are the yardstick that the parser's tests measure against.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """Text runs with their weights, in order, and whether every bracket found its partner."""

    runs: tuple[tuple[str, float], ...]
    balanced: bool

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.runs)

    def weight_of(self, word: str) -> float:
        return next(weight for text, weight in self.runs if word in text)


def without_networks(text: str) -> str:
    """A1111 takes `<word:anything>` out first."""
    return re.sub(r"<\w+:[^>]+>", "", text)


def a1111_parts(text: str) -> list[str]:
    """The AND parts without their weights."""
    parts = re.split(r"\bAND\b", without_networks(text))
    return [re.sub(r"\s*:\s*[-+]?(?:\d+\.?|\d*\.\d+)\s*$", "", part) for part in parts]


def a1111(part: str) -> Reading:
    """Attention of one AND part: brackets multiply; unpaired opening ones last to the end, closing ones are text."""
    runs: list[list[str | float]] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}
    balanced = True
    i = 0
    while i < len(part):
        weight = re.compile(r":\s*([+-]?[.\d]+)\s*\)").match(part, i)
        if part[i] == "\\":
            escaped = part[i + 1 : i + 2]
            if escaped and escaped in "()[]\\":
                runs.append([escaped, 1.0])
                i += 1
        elif part[i] in "([":
            opened[part[i]].append(len(runs))
        elif weight and opened["("]:
            _multiply(runs, opened["("].pop(), float(weight[1]))
            i = weight.end() - 1
        elif part[i] == ")" and opened["("]:
            _multiply(runs, opened["("].pop(), 1.1)
        elif part[i] == "]" and opened["["]:
            _multiply(runs, opened["["].pop(), 1 / 1.1)
        else:
            balanced = balanced and part[i] not in ")]"
            runs.append([part[i], 1.0])
        i += 1
    for bracket, factor in (("(", 1.1), ("[", 1 / 1.1)):
        for start in opened[bracket]:
            balanced = False
            _multiply(runs, start, factor)
    return _merged(runs, balanced)


def comfyui(text: str) -> Reading:
    """ComfyUI's recursion over top-level round brackets; `(x:w)` sets the weight, `(x)` multiplies by 1.1."""
    hidden = text.replace("\\)", "\uf001").replace("\\(", "\uf002")
    runs: list[list[str | float]] = []
    _comfy_runs(hidden, 1.0, runs)
    balanced = not any(c in "()" for run in runs for c in str(run[0]))
    for run in runs:
        run[0] = str(run[0]).replace("\uf001", ")").replace("\uf002", "(")
    return _merged(runs, balanced)


def _comfy_runs(text: str, weight: float, runs: list[list[str | float]]) -> None:
    items: list[str] = []
    item, level = "", 0
    for char in text:
        if char == "(" and level == 0 and item:
            items.append(item)
            item = ""
        item += char
        level += (char == "(") - (char == ")")
        if char == ")" and level == 0:
            items.append(item)
            item = ""
    for piece in [*items, item] if item else items:
        if len(piece) >= 2 and piece[0] == "(" and piece[-1] == ")":
            inner, inner_weight = piece[1:-1], weight * 1.1
            head, colon, tail = inner.rpartition(":")
            if colon and head:
                with contextlib.suppress(ValueError):
                    inner, inner_weight = (head, float(tail))
            _comfy_runs(inner, inner_weight, runs)
        else:
            runs.append([piece, weight])


def _multiply(runs: list[list[str | float]], start: int, factor: float) -> None:
    for run in runs[start:]:
        run[1] = float(run[1]) * factor


def _merged(runs: list[list[str | float]], balanced: bool) -> Reading:
    merged: list[tuple[str, float]] = []
    for text, weight in runs:
        if merged and abs(merged[-1][1] - float(weight)) < 1e-9:
            merged[-1] = (merged[-1][0] + str(text), merged[-1][1])
        else:
            merged.append((str(text), float(weight)))
    return Reading(tuple(merged), balanced)
