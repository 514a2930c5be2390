"""Metadata of saved images with the setting on: the safe prompt instead of the raw one, everywhere."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from fakes import FakeEngine
from posi.nodes import redaction
from posi.nodes.safe_prompt import SafePromptNode
from posi.posi_core.service import Service
from posi.posi_core.verdict import Verdict

RAW = "a bloody knight on a hill, oil painting"
SAFE = "a shining knight on a hill, oil painting"


def verdict(raw: str = RAW, safe: str = SAFE) -> Verdict:
    return Verdict(text=safe, action="rewrite", original=raw)


def graph(text: Any = RAW, **others: Any) -> dict[str, Any]:
    return {"7": {"class_type": "POSI_SafePrompt", "inputs": {"text": text}}, **others}


@pytest.fixture
def on(host: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("POSI_REDACT_METADATA", "1")
    return host


def dynprompt(prompt: dict[str, Any]) -> Any:
    import sys

    return sys.modules["comfy_execution.graph"].DynamicPrompt(prompt)


def test_the_copy_for_save_nodes_carries_the_safe_text(on: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = graph()
    asked = dynprompt(prompt)
    monkeypatch.setattr(type(asked), "get_original_prompt", type(asked).get_original_prompt)
    redaction.install()
    redaction.remember([verdict()], asked, "7")
    assert asked.get_original_prompt()["7"]["inputs"]["text"] == SAFE
    assert prompt["7"]["inputs"]["text"] == RAW, "the graph that runs keeps its cache key"
    monkeypatch.setenv("POSI_REDACT_METADATA", "0")
    assert asked.get_original_prompt() is prompt


def test_pieces_that_were_put_together_are_removed(on: Any) -> None:
    prompt = graph(
        ["3", 0],
        **{"3": {"class_type": "Join", "inputs": {"a": "a bloody knight", "b": " on a hill, oil painting"}}},
    )
    redaction.remember([verdict()], dynprompt(prompt), "7")
    assert "bloody" not in json.dumps(redaction.redacted(prompt))


def test_the_workflow_is_redacted_when_it_is_read_not_when_it_is_queued(on: Any) -> None:
    """The second of two queued prompts is taken in before the first has run."""
    workflow = {"nodes": [{"id": 7, "widgets_values": [RAW, "standard"]}], "note": f"before: {RAW}!"}
    data = redaction.prepare({"prompt": {}, "extra_data": {"extra_pnginfo": {"workflow": workflow}}})
    info = copy.deepcopy(data["extra_data"]["extra_pnginfo"])
    redaction.remember([verdict()], None, None)
    for read in (
        {key: info[key] for key in info},
        dict(info.items()),
        {"workflow": info.get("workflow")},
        {"workflow": next(iter(info.values()))},
        json.loads(json.dumps(info)),
        dict(info.copy().items()),
    ):
        assert read["workflow"]["nodes"][0]["widgets_values"] == [SAFE, "standard"]
        assert read["workflow"]["note"] == f"before: {SAFE}!"
    assert info.get("missing", 3) == 3


def test_off_leaves_the_queue_as_it_is(host: Any) -> None:
    data = {"prompt": {}, "extra_data": {"extra_pnginfo": {"workflow": {}}}}
    assert redaction.prepare(data) is data


def test_what_passed_unchanged_is_not_noted(on: Any) -> None:
    redaction.remember([Verdict(text="a hill", action="pass", original="a hill")], None, None)
    assert redaction._replacements == {}


def test_a_blocked_prompt_does_not_stand_in_the_picture(on: Any) -> None:
    redaction.remember([Verdict(text="", action="block", original=RAW)], dynprompt(graph()), "7")
    assert redaction.redacted(graph())["7"]["inputs"]["text"] == ""


def test_the_node_tells_what_it_replaced(on: Any, service: Service, engine: FakeEngine) -> None:
    SafePromptNode.execute(text=RAW, strictness="standard", on_block="stop")
    assert redaction.redacted({"x": RAW}) == {"x": SAFE}


def test_without_a_way_to_redact_there_is_no_metadata(on: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    args = sys.modules["comfy.cli_args"].args
    monkeypatch.setattr(args, "disable_metadata", False)
    monkeypatch.setattr(sys.modules["comfy_execution.graph"], "DynamicPrompt", type("New", (), {}))
    redaction.install()
    assert args.disable_metadata is True
