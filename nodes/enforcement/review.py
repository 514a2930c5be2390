"""The decision on one queued graph: let it go, refuse it, or put POSI nodes into it."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from ...posi_core.policy import PRESETS, Policy
from ...posi_core.safe_prompt.judge import judge
from ...posi_core.service import service
from .. import settings
from .graph import SAFE_PROMPT, Feed, ShapeOf, feeds
from .shapes import shape_of

REMEMBERED = 4096
INSERTED = "posi"


@dataclass(frozen=True)
class Finding:
    """One input of one node that is over the limits, and why in words (without the text itself)."""

    feed: Feed
    reason: str


@dataclass(frozen=True)
class Review:
    """`error` is set when the graph could not be judged; such a graph does not run."""

    mode: settings.Mode = "off"
    policy: str = "standard"
    findings: tuple[Finding, ...] = ()
    error: str = ""

    @property
    def refused(self) -> bool:
        return bool(self.error) or (self.mode == "refuse" and bool(self.findings))


def review(graph: Any, shape: ShapeOf = shape_of) -> Review:
    """Judges every text that reaches an encoder. Never raises: what goes wrong is a refusal."""
    try:
        current = settings.current()
        floor = current.floor()
        if floor is None:
            return Review()
        found = feeds(graph, shape)
        reasons = _judge([text for feed in found for text in feed.texts], floor)
        findings = []
        for feed in found:
            why = next((reasons[text] for text in feed.texts if reasons[text]), "")
            if why:
                findings.append(Finding(feed, why))
        return Review(current.mode, current.policy, tuple(findings))
    except Exception as error:  # the host lets a prompt through when a handler raises
        return Review(error=f"The prompt could not be judged, so it does not run: {error}")


def with_posi_nodes(graph: dict[str, Any], found: Review) -> dict[str, Any]:
    """A copy of the graph with a POSI Safe Prompt before every input that was found."""
    changed = copy.deepcopy(graph)
    for finding in found.findings:
        feed = finding.feed
        inputs = changed[feed.node]["inputs"]
        new_id = f"{INSERTED}-{feed.node}-{feed.input}"
        while new_id in changed:
            new_id += "-"
        changed[new_id] = {
            "class_type": SAFE_PROMPT,
            "inputs": {"text": inputs[feed.input], "strictness": _preset(found.policy), "on_block": "stop"},
            "_meta": {"title": "POSI Safe Prompt"},
        }
        inputs[feed.input] = [new_id, 0]
    return changed


def refusal(found: Review) -> dict[str, Any]:
    """The body of the answer 400, in the layout that ComfyUI's front end shows as a dialog and on the nodes."""
    lines = [
        f"Node {finding.feed.node} ({finding.feed.class_type}), input {finding.feed.input}: {finding.reason}"
        for finding in found.findings
    ]
    advice = "Put a POSI Safe Prompt node before the text, or use POSI Safe Text Encode."
    details = found.error or "\n".join([*lines, advice])
    errors: dict[str, Any] = {}
    for finding in found.findings:
        entry = errors.setdefault(
            finding.feed.node,
            {"errors": [], "dependent_outputs": [], "class_type": finding.feed.class_type},
        )
        entry["errors"].append(
            {
                "type": "posi_refused",
                "message": "This server does not run this text",
                "details": f"{finding.reason} {advice}",
                "extra_info": {"input_name": finding.feed.input},
            }
        )
    return {
        "error": {
            "type": "posi_refused",
            "message": "POSI: this server does not run this prompt",
            "details": details,
            "extra_info": {},
        },
        "node_errors": errors,
    }


def _preset(policy: str) -> str:
    return policy if policy in PRESETS else "strict"


_remembered: OrderedDict[tuple[str, str], str] = OrderedDict()
_lock = Lock()


def _judge(texts: Sequence[str], policy: Policy) -> dict[str, str]:
    """Text -> why it is over the limits, "" if it is not. One batch of the scorer for the texts not seen lately."""
    from ...posi_core.syntax import parse  # ComfyUI's start need not wait for the parsers

    if not texts:
        return {}
    scorer = service().prompter(policy, None).parts.scorer()
    judges = f"{policy.identity}|{scorer.identity}"
    with _lock:
        known = {text: _remembered[judges, text] for text in texts if (judges, text) in _remembered}
    fresh = [text for text in dict.fromkeys(texts) if text not in known]
    judged = judge([parse(text, "comfyui") for text in fresh], policy, scorer)
    with _lock:
        for text, judgement in zip(fresh, judged, strict=True):
            known[text] = judgement.why() if judgement.flagged else ""
            _remembered[judges, text] = known[text]
        while len(_remembered) > REMEMBERED:
            _remembered.popitem(last=False)
    return known
