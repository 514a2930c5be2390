"""HTML of a verdict: escaped, marked where words changed, readable for screen readers."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from posi.posi_core.verdict import CATEGORIES
from posi.posi_webui import render


def risk(overall: float, **categories: float) -> dict[str, Any]:
    return {"overall": overall, "categories": {**dict.fromkeys(CATEGORIES, 0.01), **categories}, "words": []}


def verdict(**changed: Any) -> dict[str, Any]:
    return {
        "action": "rewrite",
        "original": "a <b>bloody</b> knight",
        "text": "a <b>shining</b> knight",
        "risk_before": risk(0.9, violence=0.9),
        "risk_after": risk(0.02),
        "similarity": 0.9,
        "changes": [
            {"before": "bloody", "after": "shining", "start": 5, "end": 11, "new_start": 5, "new_end": 12}
        ],
        "reason": "violence 0.90 (limit 0.50)",
        "policy": "standard-0123",
        **changed,
    }


class Balance(HTMLParser):
    """Open tags that were never closed, and closed ones that were never opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def balanced(html: str) -> bool:
    parser = Balance()
    parser.feed(html)
    return not parser.open


def test_marks_words_and_escapes_everything() -> None:
    html = render.verdict_card(verdict(), thresholds={"violence": 0.5}, copy=True)
    assert "a &lt;b&gt;<del>bloody</del>&lt;/b&gt; knight" in html
    assert "a &lt;b&gt;<ins>shining</ins>&lt;/b&gt; knight" in html
    assert 'data-text="a &lt;b&gt;shining&lt;/b&gt; knight"' in html
    assert "<b>bloody" not in html
    assert balanced(html)


def test_bars_carry_figures_and_limits() -> None:
    html = render.bars(risk(0.9, violence=0.9), risk(0.02), {"violence": 0.5, "hate": 1.0})
    assert html.index("overall") < html.index("violence") < html.index("hate")
    assert 'aria-valuetext="90% → 2%"' in html
    assert html.count('class="posi-limit"') == 1
    assert balanced(html)


def test_block_shows_what_was_asked_for_and_what_was_sent() -> None:
    html = render.verdict_card(
        verdict(action="block", text="", changes=[], risk_after=None, reason="not allowed")
    )
    assert "not allowed" in html
    assert "nothing" in html
    assert balanced(html)


def test_unknown_or_missing_data_is_shown_as_a_block() -> None:
    assert "Blocked" in render.verdict_card({})
    assert balanced(render.verdict_card({"action": "odd", "original": "x"}))


def test_offsets_that_do_not_fit_mark_nothing() -> None:
    change = {"before": "x", "after": "y", "start": 90, "end": 99, "new_start": 90, "new_end": 99}
    html = render.diff(verdict(changes=[change]))
    assert "<del>" not in html
    assert "knight" in html


def test_heat_map_tints_by_share() -> None:
    words = [
        {"word": "bloody", "start": 2, "end": 8, "share": 0.8},
        {"word": "knight", "start": 9, "end": 15, "share": 0.0},
    ]
    html = render.heat_map("a bloody knight", words)
    assert html.count("<mark") == 1
    assert "80% of the risk" in html
    assert balanced(html)


def test_percent_never_hides_a_risk() -> None:
    shown = [render.percent(value) for value in (0.0, 0.001, 0.02, 0.994, 1.0)]
    assert shown == ["0%", "<1%", "2%", "99%", "100%"]


def test_progress_and_notices_are_announced() -> None:
    assert 'aria-valuenow="3"' in render.progress(3, 10, "Rewriting")
    assert 'role="alert"' in render.notice("broken <x>", kind="error")
    assert "&lt;x&gt;" in render.notice("broken <x>")
