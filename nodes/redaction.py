"""Keeps raw prompts out of the metadata of saved images (setting "POSI.Metadata.Redact").

SaveImage and its kin write two things into a picture: the graph that ran (hidden input PROMPT) and the workflow
of the page (EXTRA_PNGINFO). The graph itself has to keep the raw text, since it is the key of ComfyUI's cache and
the input of the POSI node; so the copy that save nodes ask for is changed when they ask. By then every POSI node
before them has run, in this run or an earlier one of this process, and has told here what it replaced.
"""

from __future__ import annotations

import copy
import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Any

from ..posi_core.verdict import Verdict
from . import settings

MARK = "[removed by POSI]"
REMEMBERED = 2000

_replacements: OrderedDict[str, str] = OrderedDict()
_lock = Lock()


def remember(verdicts: Sequence[Verdict], dynprompt: Any, node_id: str | None) -> None:
    """Called by a POSI node that ran: notes what must not stand in metadata, and what may in its place.

    Text that came over a wire may be put together from several nodes; pieces that are not the raw prompt itself
    are replaced by MARK.
    """
    changed = [verdict for verdict in verdicts if verdict.changed]
    if not changed:
        return
    from .enforcement.graph import literals
    from .enforcement.shapes import shape_of

    pairs = {verdict.original: verdict.text for verdict in changed}
    if dynprompt is not None and node_id is not None:
        try:
            behind = literals(dynprompt.original_prompt, node_id, "text", shape_of)
        except (ValueError, KeyError, AttributeError):
            behind = []
        clean = {verdict.text for verdict in verdicts}
        for text in behind:
            if text not in clean:
                pairs.setdefault(text, MARK)
    with _lock:
        for raw, safe in pairs.items():
            if raw.strip():
                _replacements[raw] = safe
                _replacements.move_to_end(raw)
        while len(_replacements) > REMEMBERED:
            _replacements.popitem(last=False)


def redacted(value: Any) -> Any:
    """A deep copy of plain data in which every text that was replaced reads as its replacement."""
    with _lock:
        known = dict(_replacements)
    return _redacted(value, known) if known else value


def prepare(data: dict[str, Any]) -> dict[str, Any]:
    """On a queued prompt, with the setting on: its workflow is redacted whenever somebody reads it."""
    if not settings.current().redact:
        return data
    extra = data.get("extra_data")
    info = extra.get("extra_pnginfo") if isinstance(extra, dict) else None
    if not isinstance(info, dict):
        return data
    return {**data, "extra_data": {**data["extra_data"], "extra_pnginfo": RedactedInfo(info)}}


class RedactedInfo(dict[str, Any]):
    """A dict that redacts its values on reading; what a POSI node found out since then counts."""

    def __getitem__(self, key: str) -> Any:
        return redacted(super().__getitem__(key))

    def get(self, key: str, default: Any = None) -> Any:
        return redacted(super().get(key, default))

    def items(self) -> Any:
        return {key: self[key] for key in self}.items()

    def values(self) -> Any:
        return {key: self[key] for key in self}.values()

    def copy(self) -> RedactedInfo:
        return RedactedInfo(dict.items(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> RedactedInfo:
        return RedactedInfo(copy.deepcopy(dict(dict.items(self)), memo))


def install() -> None:
    """Makes the hidden input PROMPT a redacted copy while the setting is on.

    On a ComfyUI that builds that input in another way no metadata is written at all.
    """
    from comfy_execution import graph

    original = getattr(graph.DynamicPrompt, "get_original_prompt", None)
    if original is None:
        _without_metadata()
        return

    def get_original_prompt(self: Any) -> Any:
        prompt = original(self)
        try:
            return redacted(prompt) if settings.current().redact else prompt
        except Exception:
            logging.exception("POSI: metadata could not be redacted, so it is left empty.")
            return {}

    graph.DynamicPrompt.get_original_prompt = get_original_prompt


def _without_metadata() -> None:
    from comfy.cli_args import args

    if settings.current().redact:
        logging.warning("POSI: this ComfyUI cannot be made to redact metadata, so images carry none.")
        args.disable_metadata = True


def _redacted(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _redacted_text(value, known.items())
    if isinstance(value, Mapping):
        return {key: _redacted(inner, known) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(inner, known) for inner in value]
    return value


def _redacted_text(text: str, known: Iterable[tuple[str, str]]) -> str:
    for raw, safe in known:
        if text == raw:
            return safe
    # Longer texts first would matter only for a raw text inside another one; whole texts were tried above.
    for raw, safe in known:
        if len(raw) >= 8 and raw in text:
            text = text.replace(raw, safe)
    return text
