"""How verdicts and risks look on a terminal: word diff, bars, heat map, one-line errors."""

from __future__ import annotations

import sys
from functools import lru_cache

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..safe_prompt.judge import Judgement
from ..verdict import Risk, Verdict

BAR_WIDTH = 30
_MARKS = {"pass": ("✔ unchanged", "green"), "rewrite": ("✎ rewritten", "cyan"), "block": ("✖ blocked", "red")}


@lru_cache(maxsize=2)
def console(stderr: bool = False) -> Console:
    """The process's console for answers (standard output) or for messages (standard error)."""
    screen = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not screen.is_terminal:
        screen.width = 200  # a pipe or a file has no edge to fold a table at
    return screen


def error_line(message: str) -> None:
    """`posi: error: …` on standard error."""
    line = Text.assemble(("posi: error: ", "bold red"), visible(message.strip()))
    Console(file=sys.stderr, highlight=False, soft_wrap=True).print(line)


def visible(text: str) -> str:
    """Text safe to print: control characters, which could steer the terminal, become their pictures (␛)."""
    return "".join(_picture(character) for character in text)


def _picture(character: str) -> str:
    code = ord(character)
    if character == "\n" or 32 <= code < 127:
        return character
    if code < 32:
        return chr(0x2400 + code)
    if code == 127 or 128 <= code < 160 or 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069:
        return "␡" if code == 127 else "�"
    return character


def verdict_view(verdict: Verdict, *, colour: bool) -> RenderableType:
    """A headline (what happened, risk, similarity, time) and below it the text with its changed words."""
    mark, style = _MARKS[verdict.action]
    facts = []
    if verdict.risk_before is not None:
        risk = f"risk {verdict.risk_before.overall:.0%}"
        if verdict.risk_after is not None and verdict.action == "rewrite":
            risk += f" → {verdict.risk_after.overall:.0%}"
        facts.append(risk)
    if verdict.similarity is not None and verdict.action == "rewrite":
        facts.append(f"similarity {verdict.similarity:.2f}")
    facts.append(f"{verdict.seconds:.2f} s" + (" from cache" if verdict.cached else ""))
    parts: list[RenderableType] = [Text.assemble((mark, f"bold {style}"), ("   " + " · ".join(facts), "dim"))]
    if verdict.reason and verdict.action != "pass":
        parts.append(Text("  " + visible(verdict.reason), style="red" if verdict.blocked else "dim"))
    if not verdict.blocked:
        parts.append(Text("  ") + word_diff(verdict, colour=colour))
    elif verdict.text:
        parts.append(Text("  instead: " + visible(verdict.text)))
    return Group(*parts)


def word_diff(verdict: Verdict, *, colour: bool) -> Text:
    """The result with removed words struck out before what came in their place.

    Without colour the marks are those of `git diff --word-diff`: [-removed-]{+added+}.
    """
    line, done = Text(), 0
    for change in sorted(verdict.changes, key=lambda change: change.start):
        line.append(visible(verdict.original[done : change.start]))
        done = change.end
        before, after = visible(change.before), visible(change.after)
        if colour:
            line.append(before, style="red strike")
            line.append(" " if before and after else "")
            line.append(after, style="bold green")
        else:
            line.append(f"[-{before}-]" if before else "")
            line.append(f"{{+{after}+}}" if after else "")
    line.append(visible(verdict.original[done:]))
    return line if verdict.changes else Text(visible(verdict.text))


def risk_view(text: str, risk: Risk, judgement: Judgement, *, colour: bool) -> RenderableType:
    """What the policy would do, a heat-map line of the text, one bar per category with what is over its limit."""
    policy = judgement.policy
    if judgement.forbidden:
        headline = Text.assemble(("would be blocked", "bold red"), ("   " + visible(judgement.why()), "dim"))
    elif judgement.flagged:
        headline = Text.assemble(
            ("would be rewritten", "bold cyan"), ("   " + visible(judgement.why()), "dim")
        )
    else:
        headline = Text("passes unchanged", style="bold green")
    headline.append(f"   policy {policy.name}", style="dim")
    table = Table.grid(padding=(0, 1))
    for name, value in {"overall": risk.overall, **risk.categories}.items():
        limit = policy.thresholds[name]
        over = limit < 1 and value >= limit
        style = "red" if over else "yellow" if value >= limit / 2 else "green"
        note = f"over the limit of {limit:.0%}" if over else ""
        label = Text(name, style="bold" if name == "overall" else "")
        table.add_row(label, _bar(value, style), Text(f"{value:4.0%}", style=style), Text(note, style="red"))
    return Group(headline, heat_map(text, risk, colour=colour), table)


def heat_map(text: str, risk: Risk, *, colour: bool) -> Text:
    """The text with each word shaded by its part of the risk; without colour, risky words carry their share.

    Shades compare the words of one text, and pale with its risk: where words repeat each other's meaning, each
    has a small share, and still one of them stands out.
    """
    line, done = Text(), 0
    largest = max((word.share for word in risk.words), default=0.0) or 1.0
    for word in sorted(risk.words, key=lambda word: word.start):
        line.append(visible(text[done : word.start]))
        done = word.end
        heat, shown = word.share / largest * risk.overall, visible(text[word.start : word.end])
        if colour:
            line.append(shown, style=_heat_style(heat))
        else:
            line.append(f"{shown}[{word.share:.0%}]" if heat >= 0.3 else shown)
    line.append(visible(text[done:]))
    return line


def _bar(value: float, style: str) -> Text:
    eighths = round(value * BAR_WIDTH * 8)
    full, rest = divmod(eighths, 8)
    bar = "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")
    return Text.assemble((bar, style), ("·" * (BAR_WIDTH - len(bar)), "dim"))


def _heat_style(heat: float) -> str:
    for floor, style in ((0.5, "bold white on red3"), (0.3, "black on orange1"), (0.15, "black on khaki1")):
        if heat >= floor:
            return style
    return ""
