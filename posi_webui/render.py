"""HTML for people: what a verdict says, by word and by category. Every text is escaped here and nowhere else.

All functions take plain data (`Verdict.to_dict()`), so that a page, a host's result panel and the history show
the same thing. Colours and layout live in `style.css`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

ACTIONS: dict[str, tuple[str, str]] = {
    "pass": ("Passed", "Nothing to change: the prompt goes to the model byte for byte."),
    "rewrite": ("Rewritten", "The marked words were replaced."),
    "block": ("Blocked", "This prompt does not reach the image model."),
}
"""Label and default sentence for each action of a verdict."""

Data = Mapping[str, Any]


def verdict_card(
    verdict: Data,
    *,
    thresholds: Mapping[str, float] | None = None,
    heat: bool = True,
    copy: bool = False,
) -> str:
    """One verdict: badge, reason, before/after by word, bars by category and the heat map of the original.

    `thresholds` (category or "overall" -> probability) draws the policy's limit on each bar. `copy` adds the
    buttons that copy the result or send it to the host (javascript/posi.js wires them).
    """
    action = str(verdict.get("action", "block"))
    label, sentence = ACTIONS.get(action, ACTIONS["block"])
    before, after = verdict.get("risk_before"), verdict.get("risk_after")
    parts = [
        f'<section class="posi-card posi-{escape(action)}" aria-label="Verdict: {label}">',
        f'<header class="posi-head"><span class="posi-badge">{label}</span>'
        f'<span class="posi-sub">{_summary(verdict)}</span></header>',
        f'<p class="posi-reason">{escape(str(verdict.get("reason") or sentence))}</p>',
        diff(verdict),
        _buttons(str(verdict.get("text", ""))) if copy else "",
    ]
    if before:
        parts.append(bars(before, after if action == "rewrite" else None, thresholds))
        if heat and before.get("words"):
            parts.append(
                '<details class="posi-fold" open><summary>What the risk comes from</summary>'
                + heat_map(str(verdict.get("original", "")), before["words"])
                + "</details>"
            )
    return "".join(parts) + "</section>"


def check_card(
    text: str, risk: Data, action: str, why: str, *, thresholds: Mapping[str, float] | None = None
) -> str:
    """Risk of a text alone: heat map and bars. `action` is what would become of it, `why` what is over the limits."""
    label = {"pass": "Would pass", "rewrite": "Would be rewritten", "block": "Would be blocked"}[action]
    reason = (
        "Under all limits." if action == "pass" else why if action == "block" else f"Over the limits: {why}."
    )
    return (
        f'<section class="posi-card posi-{action}" aria-label="{label}">'
        f'<header class="posi-head"><span class="posi-badge">{label}</span>'
        f'<span class="posi-sub">risk {percent(risk["overall"])}</span></header>'
        f'<p class="posi-reason">{escape(reason)}</p>'
        + heat_map(text, risk.get("words") or ())
        + bars(risk, None, thresholds)
        + "</section>"
    )


def diff(verdict: Data) -> str:
    """The original with removed words struck out beside the result with new words marked."""
    original, text = str(verdict.get("original", "")), str(verdict.get("text", ""))
    action = verdict.get("action")
    if not original:
        return ""
    if action == "pass":
        return _columns([("Prompt", escape(original))])
    if action == "block":
        after = escape(text) if text else '<span class="posi-none">nothing</span>'
        return _columns([("Asked for", escape(original)), ("Sent to the model", after)])
    changes = sorted(verdict.get("changes") or (), key=lambda change: change["start"])
    removed = [(change["start"], change["end"]) for change in changes]
    added = sorted((change["new_start"], change["new_end"]) for change in changes)
    return _columns([("Before", _marked(original, removed, "del")), ("After", _marked(text, added, "ins"))])


def bars(risk: Data, after: Data | None = None, thresholds: Mapping[str, float] | None = None) -> str:
    """One bar a category, riskiest first; with `after`, a second bar below it for the rewritten prompt."""
    limits = thresholds or {}
    before: dict[str, float] = {"overall": risk["overall"], **risk["categories"]}
    later: dict[str, float] = {"overall": after["overall"], **after["categories"]} if after else {}
    names = ["overall", *sorted(risk["categories"], key=lambda name: -before[name])]
    rows = "".join(_row(name, before[name], later.get(name), limits.get(name)) for name in names)
    keys = [("before", after is not None), ("after", after is not None), ("limit", bool(limits))]
    legend = "".join(
        f'<span class="posi-key posi-key-{name}"></span>{name} ' for name, shown in keys if shown
    )
    if legend:
        rows += f'<p class="posi-legend">{legend}</p>'
    return f'<div class="posi-bars" role="group" aria-label="Risk by category">{rows}</div>'


def limits(thresholds: Mapping[str, float]) -> str:
    """A policy's limits, one bar each; 1 means that the category is not judged."""
    rows = "".join(
        f'<div class="posi-bar"><span class="posi-name">{escape(name)}</span><span class="posi-track" role="meter" '
        f'aria-label="{escape(name)}" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{100 * value:.0f}">'
        f'<b class="posi-after" style="width:{100 * value:.1f}%"></b></span>'
        f'<span class="posi-figure">{percent(value) if value < 1 else "off"}</span></div>'
        for name, value in thresholds.items()
    )
    return f'<div class="posi-bars" role="group" aria-label="Limits">{rows}</div>'


def heat_map(text: str, words: Iterable[Data]) -> str:
    """The text with each word tinted by its share of the risk; words can be reached with the Tab key."""
    out, position = [], 0
    ordered = sorted(words, key=lambda word: word["start"])
    peak = max((float(word["share"]) for word in ordered), default=0.0)
    for word in ordered:
        start, end, share = int(word["start"]), int(word["end"]), float(word["share"])
        if start < position or end > len(text):
            continue
        out.append(escape(text[position:start]))
        level = share / peak if peak > 0 else 0.0
        label = f"{percent(share)} of the risk"
        if share < 0.01:
            out.append(escape(text[start:end]))
        else:
            out.append(
                f'<mark class="posi-heat" style="--posi-level:{level:.2f}" tabindex="0" title="{label}" '
                f'data-tip="{label}">{escape(text[start:end])}</mark>'
            )
        position = end
    return f'<p class="posi-text posi-heatmap">{"".join(out)}{escape(text[position:])}</p>'


def verdict_list(verdicts: Sequence[Data], *, empty: str) -> str:
    """Many verdicts as rows that open to the whole card (history, batches)."""
    if not verdicts:
        return notice(empty)
    return '<div class="posi-list">' + "".join(verdict_row(verdict) for verdict in verdicts) + "</div>"


def verdict_row(verdict: Data) -> str:
    """One folded row: action and the final text; opening it shows the difference and the bars."""
    action = str(verdict.get("action", "block"))
    label = ACTIONS.get(action, ACTIONS["block"])[0]
    shown = str(verdict.get("text") or verdict.get("original") or "")
    inner = verdict_card(verdict, heat=False)
    return (
        f'<details class="posi-row posi-{escape(action)}"><summary><span class="posi-badge">{label}</span>'
        f'<span class="posi-line">{escape(shown)}</span></summary>{inner}</details>'
    )


def progress(done: int, total: int, what: str) -> str:
    """A progress bar with its figures, announced politely to screen readers."""
    share = 100 * done / total if total else 0
    return (
        f'<div class="posi-progress" role="progressbar" aria-valuemin="0" aria-valuemax="{total}" '
        f'aria-valuenow="{done}" aria-label="{escape(what)}"><div style="width:{share:.1f}%"></div></div>'
        f'<p class="posi-sub" aria-live="polite">{escape(what)}: {done} of {total}</p>'
    )


def notice(text: str, *, kind: str = "info") -> str:
    """A line of its own: kind "info", "ok" or "error" (errors are announced at once)."""
    role = "alert" if kind == "error" else "status"
    return f'<p class="posi-notice posi-notice-{escape(kind)}" role="{role}">{escape(text)}</p>'


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """A table of names and values."""
    body = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in rows)
    return f'<dl class="posi-facts">{body}</dl>'


def percent(value: float) -> str:
    """A probability as a whole percentage; what is not zero never reads as 0%."""
    if 0 < value < 0.005:
        return "<1%"
    return f"{100 * value:.0f}%"


def _row(name: str, before: float, after: float | None, limit: float | None) -> str:
    shown = before if after is None else after
    figures = percent(before) if after is None else f"{percent(before)} → {percent(after)}"
    tick = (
        f'<i class="posi-limit" style="left:{100 * limit:.1f}%" title="limit {percent(limit)}"></i>'
        if limit is not None and limit < 1
        else ""
    )
    over = limit is not None and limit < 1 and shown >= limit
    second = f'<b class="posi-after" style="width:{100 * after:.1f}%"></b>' if after is not None else ""
    classes = "posi-bar" + (" posi-overall" if name == "overall" else "") + (" posi-over" if over else "")
    return (
        f'<div class="{classes}"><span class="posi-name">{escape(name)}</span>'
        f'<span class="posi-track" role="meter" aria-label="{escape(name)}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{100 * shown:.0f}" aria-valuetext="{escape(figures)}">'
        f'<b class="posi-before" style="width:{100 * before:.1f}%"></b>{second}{tick}</span>'
        f'<span class="posi-figure">{escape(figures)}</span></div>'
    )


def _summary(verdict: Data) -> str:
    facts: list[str] = []
    before, after = verdict.get("risk_before"), verdict.get("risk_after")
    if before:
        figures = percent(before["overall"])
        if after and verdict.get("action") == "rewrite":
            figures += f" → {percent(after['overall'])}"
        facts.append(f"risk {figures}")
    if verdict.get("similarity") is not None and verdict.get("action") == "rewrite":
        facts.append(f"meaning kept {percent(max(0.0, float(verdict['similarity'])))}")
    if verdict.get("policy"):
        facts.append(f"policy {str(verdict['policy']).rsplit('-', 1)[0]}")
    if verdict.get("cached"):
        facts.append("from the cache")
    elif verdict.get("seconds"):
        facts.append(f"{float(verdict['seconds']):.2f} s")
    return " · ".join(escape(fact) for fact in facts)


def _buttons(text: str) -> str:
    if not text:
        return ""
    shown = escape(text, quote=True)
    return (
        f'<p class="posi-actions"><button type="button" class="posi-copy" data-text="{shown}">Copy</button>'
        f'<button type="button" class="posi-send" data-text="{shown}" hidden>Send to txt2img</button></p>'
    )


def _columns(columns: Sequence[tuple[str, str]]) -> str:
    cells = "".join(
        f'<div class="posi-side"><h4>{escape(title)}</h4><p class="posi-text">{body}</p></div>'
        for title, body in columns
    )
    return f'<div class="posi-diff">{cells}</div>'


def _marked(text: str, spans: Sequence[tuple[int, int]], tag: str) -> str:
    out, position = [], 0
    for start, end in spans:
        if start < position or end > len(text) or start >= end:
            continue
        out += [escape(text[position:start]), f"<{tag}>{escape(text[start:end])}</{tag}>"]
        position = end
    return "".join(out) + escape(text[position:])
