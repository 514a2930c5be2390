"""The verdicts of recent generations, so that the panel under a picture can show what was changed."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from ..posi_core.verdict import Verdict
from . import render

KEPT = 64

_runs: OrderedDict[str, tuple[str, list[dict[str, Any]]]] = OrderedDict()


def keep(job: str, verdicts: Sequence[Verdict], stopped: str = "") -> None:
    """Remembers a run under the host's job timestamp, in memory only; several passes of one job add up."""
    _, known = _runs.pop(job, ("", []))
    for verdict in verdicts:
        data = verdict.to_dict()
        if data not in known:
            known.append(data)
    _runs[job] = (stopped, known)
    while len(_runs) > KEPT:
        _runs.popitem(last=False)


def panel(generation_info: Any) -> str:
    """HTML for the run that the host's generation info (JSON) belongs to; empty where nothing was changed."""
    try:
        job = str(json.loads(generation_info)["job_timestamp"])
    except (TypeError, ValueError, KeyError):
        return ""
    stopped, verdicts = _runs.get(job, ("", []))
    parts = [render.notice(f"POSI stopped this generation. {stopped}", kind="error")] if stopped else []
    changed = [verdict for verdict in verdicts if verdict["action"] != "pass"]
    parts += [render.verdict_card(verdict, heat=False) for verdict in changed[:4]]
    if len(changed) > 4:
        parts.append(render.verdict_list(changed[4:], empty=""))
    if not parts:
        return ""
    return f'<div class="posi posi-panel">{"".join(parts)}</div>'
