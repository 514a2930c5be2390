from __future__ import annotations

import json
import re
from typing import Any

import pytest
from posi.posi_core.cli.render import heat_map, verdict_view, visible, word_diff
from posi.posi_core.verdict import CATEGORIES, Change, Risk, Verdict, WordRisk
from rich.console import Console


def verdict(action: Any = "rewrite", **more: Any) -> Verdict:
    risk = Risk(0.62, dict.fromkeys(CATEGORIES, 0.1) | {"violence": 0.9})
    fields: dict[str, Any] = {
        "text": "a shining knight rides",
        "action": action,
        "original": "a bloody knight rides away",
        "risk_before": risk,
        "risk_after": Risk(0.08, dict.fromkeys(CATEGORIES, 0.05)),
        "similarity": 0.84,
        "changes": (Change("bloody", "shining", 2, 8, 2, 9), Change(" away", "", 21, 26, 22, 22)),
        "reason": "Violence 0.90 (limit 0.50). Rewritten: first candidate.",
        "seconds": 0.4123,
    }
    return Verdict(**(fields | more))


def on_screen(renderable: Any, *, colour: bool = False) -> str:
    screen = Console(width=100, force_terminal=colour, color_system="truecolor" if colour else None)
    with screen.capture() as capture:
        screen.print(renderable)
    return capture.get()


def test_word_diff_without_colour_reads_like_git() -> None:
    assert str(word_diff(verdict(), colour=False)) == "a [-bloody-]{+shining+} knight rides[- away-]"


def test_word_diff_with_colour_strikes_out_what_went() -> None:
    shown = on_screen(word_diff(verdict(), colour=True), colour=True)
    assert re.search(r"\x1b\[9;31mbloody", shown)
    assert re.search(r"\x1b\[1;32mshining", shown)


def test_headline_tells_risk_similarity_and_time() -> None:
    shown = on_screen(verdict_view(verdict(), colour=False))
    assert "✎ rewritten   risk 62% → 8% · similarity 0.84 · 0.41 s" in shown
    assert "Violence 0.90 (limit 0.50)" in shown


def test_a_block_shows_the_reason_and_not_the_prompt() -> None:
    blocked = verdict(
        "block", text="a calm landscape", changes=(), similarity=None, reason="No safe wording."
    )
    shown = on_screen(verdict_view(blocked, colour=False))
    assert "✖ blocked" in shown
    assert "No safe wording." in shown
    assert "instead: a calm landscape" in shown
    assert "bloody" not in shown


def test_control_characters_cannot_steer_the_terminal() -> None:
    assert visible("a\x1b[2Jb\x07\x9b\u202ec\x7f") == "a␛[2Jb␇��c␡"
    passed = verdict("pass", original="\x1b]0;owned\x07", text="\x1b]0;owned\x07", changes=())
    assert "\x1b" not in on_screen(verdict_view(passed, colour=False))


def test_markup_in_a_prompt_is_text() -> None:
    passed = verdict("pass", original="[red]a [[b]] {c}[/red]", text="[red]a [[b]] {c}[/red]", changes=())
    assert "[red]a [[b]] {c}[/red]" in on_screen(verdict_view(passed, colour=False))


def test_heat_map_marks_the_words_that_carry_the_risk() -> None:
    text = "a bloody knight"
    risk = Risk(
        0.9, dict.fromkeys(CATEGORIES, 0.1), (WordRisk("bloody", 2, 8, 0.8), WordRisk("a", 0, 1, 0.02))
    )
    assert str(heat_map(text, risk, colour=False)) == "a bloody[80%] knight"
    assert "\x1b[1;37;48" in on_screen(heat_map(text, risk, colour=True), colour=True)


def test_check_shows_what_would_happen_and_a_bar_for_each_category(run: Any) -> None:
    answer = run("check", "a bloody knight on a horse")
    assert answer.code == 0
    assert (
        answer.lines[0].startswith("would be rewritten   violence 0.90 (limit 0.50)")
        or "overall" in answer.lines[0]
    )
    assert answer.lines[1] == "a bloody[100%] knight on a horse"
    for name in ("overall", *CATEGORIES):
        assert any(line.startswith(name) for line in answer.lines)
    assert sum("over the limit" in line for line in answer.lines) == 2  # overall and violence
    assert run("check", "a quiet lake").lines[0].startswith("passes unchanged")


def test_check_json(run: Any) -> None:
    data = json.loads(run("check", "--json", "a bloody knight").out)
    assert data["text"] == "a bloody knight"
    assert data["categories"]["violence"] == pytest.approx(0.9)
    assert data["words"] == [{"word": "bloody", "start": 2, "end": 8, "share": 1.0}]
    assert data["flagged"] is True
    assert data["policy"].startswith("standard-")
