"""The nodes at work on fakes: what comes out of their slots, what their widget is told."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeEngine, FakeScorer
from posi.nodes import missing, run
from posi.nodes.policy import build
from posi.nodes.prompt_list import PromptListNode
from posi.nodes.prompt_risk import PromptRiskNode
from posi.nodes.safe_prompt import SafePromptNode
from posi.nodes.safe_text_encode import SafeTextEncodeNode
from posi.posi_core.engine import EngineStatus
from posi.posi_core.errors import EngineError, PolicyError
from posi.posi_core.safe_prompt import ModelChoice
from posi.posi_core.service import Service

BLOODY = "a bloody knight on a hill, oil painting"
SHINING = "a shining knight on a hill, oil painting"


def safe(text: object, strictness: str = "standard", on_block: str = "stop", **wires: Any) -> Any:
    return SafePromptNode.execute(text=text, strictness=strictness, on_block=on_block, **wires)


def test_a_risky_prompt_comes_out_rewritten(service: Service) -> None:
    text, risk, changed, blocked, report = safe(BLOODY).args
    assert text == SHINING
    assert risk < 0.1
    assert (changed, blocked) == (True, False)
    assert json.loads(report)["action"] == "rewrite"
    assert json.loads(report)["original"] == BLOODY


def test_a_safe_prompt_comes_out_byte_for_byte(service: Service, engine: FakeEngine) -> None:
    prompt = "  (castle:1.3), <lora:fog:0.8> embedding:mist,\n\tat dawn "
    output = safe(prompt)
    assert output.args[0] == prompt
    assert output.args[2:4] == (False, False)
    assert engine.requests == []


def test_networks_and_weights_stand_around_the_new_words(service: Service) -> None:
    text = safe("(bloody:1.3) knight, <lora:armor:0.7>, embedding:bronze").args[0]
    assert "bloody" not in text
    assert "<lora:armor:0.7>" in text
    assert "embedding:bronze" in text


def test_the_widget_gets_the_whole_verdict(service: Service) -> None:
    (entry,) = safe(BLOODY).ui["posi"]
    assert entry["kind"] == "verdict"
    assert entry["changes"][0]["before"] == "bloody"
    assert entry["changes"][0]["after"] == "shining"
    assert entry["risk_before"]["categories"]["violence"] == pytest.approx(0.9)
    assert entry["reason"]
    json.dumps(entry)


def test_stop_blocks_the_text_slot_and_leaves_the_others_readable(
    service: Service, engine: FakeEngine
) -> None:
    engine.stubborn = {"bloody"}
    policy = build(base="standard", similarity_floor=0.99)
    text, risk, changed, blocked, report = safe(BLOODY, policy=policy).args
    assert "violence" in text.message.lower()
    assert BLOODY not in text.message
    assert (risk, changed, blocked) == (0.0, True, True)
    assert json.loads(report)["action"] == "block"


@pytest.mark.parametrize(("on_block", "expected"), [("neutral", "a quiet pond"), ("empty", "")])
def test_other_ways_to_go_on_after_a_block(
    service: Service, engine: FakeEngine, on_block: str, expected: str
) -> None:
    engine.stubborn = {"bloody"}
    policy = build(base="standard", similarity_floor=0.99, replacement="a quiet pond")
    output = safe(BLOODY, on_block=on_block, policy=policy)
    assert output.args[0] == expected
    assert output.args[3] is True


def test_a_dead_engine_never_lets_the_prompt_through(service: Service, engine: FakeEngine) -> None:
    engine.error = EngineError("The worker died.")
    output = safe(BLOODY, on_block="empty")
    assert output.args[0] == ""
    assert "The worker died." in output.ui["posi"][0]["reason"]


def test_a_scorer_that_fails_never_lets_the_prompt_through(service: Service, scorer: FakeScorer) -> None:
    scorer.error = RuntimeError("boom")
    output = safe("a cat", on_block="empty")
    assert output.args[0] == ""
    assert output.args[3] is True


def test_strictness_decides(service: Service, scorer: FakeScorer) -> None:
    scorer.risky["gloomy"] = ("violence", 0.4)
    passes = {s: not safe("a gloomy wood", s, "empty").args[2] for s in ("relaxed", "strict")}
    assert passes == {"relaxed": True, "strict": False}


def test_a_list_in_one_slot_is_a_batch(service: Service) -> None:
    output = safe([BLOODY, "a cat", None])
    assert output.args[0] == [SHINING, "a cat", ""]
    assert len(output.ui["posi"]) == 3
    assert [entry["action"] for entry in json.loads(output.args[4])] == ["rewrite", "pass", "pass"]


def test_an_empty_batch_is_no_fault(service: Service) -> None:
    assert safe([]).args[:4] == ([], 0.0, False, False)


def test_progress_reaches_the_end(service: Service, host: Any) -> None:
    safe(BLOODY)
    assert host.bars[-1][-1] == 100
    assert all(0 <= value <= 100 for value in host.bars[-1])


def test_an_interruption_ends_the_run_as_comfyui_does(
    service: Service, engine: FakeEngine, host: Any
) -> None:
    engine.delay = 5
    host.interrupted = True
    started = time.monotonic()
    with pytest.raises(host.Interrupted):
        safe(BLOODY)
    assert time.monotonic() - started < 1


def test_verdicts_stand_in_the_history(service: Service) -> None:
    safe(BLOODY)
    assert service.history[0]["text"] == SHINING
    assert service.history[0]["source"] == "comfyui"


def test_room_is_asked_for_before_a_load_that_may_go_to_the_gpu(
    service: Service, engine: FakeEngine, host: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"GGUF" + bytes(996))
    monkeypatch.setattr(run, "find", lambda _role, _path=None: path)
    monkeypatch.setattr(run, "_rewrite", lambda text, policy, *_: service.prompter(policy).rewrite(text))
    monkeypatch.setattr(engine, "health", lambda: EngineStatus(kind="fake", identity="fake", loaded=False))
    room = 1250 + run.CONTEXT_BYTES
    safe("a cat")
    assert host.room == [], "ComfyUI itself runs on the CPU"
    host.device = "cuda"
    safe("a cat")
    safe("a cat", model=ModelChoice(path=path, gpu_layers=-1))
    assert host.room == [room, room]
    safe("a cat", model=ModelChoice(path=path, gpu_layers=0))
    safe("a cat", model=ModelChoice(gpu_layers=-1, base_url="http://127.0.0.1:1/v1"))
    assert host.room == [room, room]
    service.prompter("standard").rewrite("a bloody knight")
    monkeypatch.setattr(engine, "health", lambda: EngineStatus(kind="fake", identity="fake", loaded=True))
    safe("a cat")
    assert host.room == [room, room], "it is loaded already"


class FakeClip:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def tokenize(self, text: str) -> str:
        self.seen.append(text)
        return text

    def encode_from_tokens_scheduled(self, tokens: str) -> list[tuple[str, dict[str, str]]]:
        return [(f"<{tokens}>", {})]


def encode(text: object, clip: Any, **more: Any) -> Any:
    wires = {"strictness": "standard", "on_block": "stop", **more}
    return SafeTextEncodeNode.execute(text=text, clip=clip, **wires)


def test_encoding_sees_the_safe_text_only(service: Service) -> None:
    clip = FakeClip()
    output = encode(BLOODY, clip)
    assert clip.seen == [SHINING]
    assert output.args == ([(f"<{SHINING}>", {})],)
    assert output.ui["posi"][0]["action"] == "rewrite"


def test_encoding_stops_with_the_reason(service: Service, engine: FakeEngine) -> None:
    engine.error = EngineError("The worker died.")
    clip = FakeClip()
    assert "The worker died." in encode(BLOODY, clip).args[0].message
    assert clip.seen == []


def test_encoding_without_a_text_encoder_says_what_is_wrong(service: Service) -> None:
    with pytest.raises(RuntimeError, match="no text encoder"):
        encode("a cat", None)


def test_prompt_risk_scores_and_changes_nothing(service: Service, engine: FakeEngine) -> None:
    output = PromptRiskNode.execute(text=BLOODY)
    risk, category, report = output.args
    assert (risk, category) == (pytest.approx(0.9), "violence")
    (entry,) = output.ui["posi"]
    assert entry["kind"] == "risk"
    assert [BLOODY[w["start"] : w["end"]] for w in entry["words"]] == ["bloody"]
    assert json.loads(report)["top"] == "violence"
    assert engine.requests == []


def test_prompt_risk_audits_a_batch(service: Service) -> None:
    risk, category, report = PromptRiskNode.execute(text=["a cat", "a gun"]).args
    assert (risk, category) == (pytest.approx(0.7), "violence")
    assert len(json.loads(report)) == 2


def test_a_list_of_prompts_from_lines(host: Any) -> None:
    text = "a cat\n\n# a note\n  a dog, (old:1.2)  \r\n"
    assert PromptListNode.execute(text=text).args == (["a cat", "a dog, (old:1.2)"],)


def test_the_floor_of_the_server_binds_every_node(
    service: Service, scorer: FakeScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer.risky["gloomy"] = ("violence", 0.4)
    assert safe("a gloomy wood", "relaxed", "empty").args[0] == "a gloomy wood"
    monkeypatch.setenv("POSI_ENFORCE", "refuse")
    monkeypatch.setenv("POSI_ENFORCE_POLICY", "strict")
    assert safe("a gloomy wood", "relaxed", "empty").args[0] != "a gloomy wood"
    lax = build(base="relaxed", overall=1.0, violence=1.0)
    verdict = safe("a gloomy wood", policy=lax, on_block="empty")
    assert verdict.args[0] != "a gloomy wood"
    assert verdict.ui["posi"][0]["original"] == "a gloomy wood"


def test_a_replacement_text_cannot_smuggle_past_the_floor(
    service: Service, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSI_ENFORCE", "refuse")
    engine.stubborn = {"bloody", "gun"}
    policy = build(base="standard", similarity_floor=0.99, replacement="a gun")
    assert "gun" not in safe(BLOODY, policy=policy, on_block="neutral").args[0]


def test_the_fingerprint_changes_with_policy_files_and_floor(
    host: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"one")
    monkeypatch.setattr(run, "find", lambda _role, _path=None: path)
    first = SafePromptNode.fingerprint_inputs(text=None, strictness="standard", on_block="stop", policy=None)
    again = SafePromptNode.fingerprint_inputs(text=None, strictness="standard", on_block="stop", policy=None)
    assert first == again
    assert SafePromptNode.fingerprint_inputs(strictness="strict") != first
    monkeypatch.setenv("POSI_ENFORCE", "refuse")
    floored = SafePromptNode.fingerprint_inputs(strictness="standard")
    assert floored != first
    path.write_bytes(b"longer")
    assert SafePromptNode.fingerprint_inputs(strictness="standard") != floored


def test_a_fault_is_tried_again_at_the_next_run(service: Service, engine: FakeEngine) -> None:
    before = SafePromptNode.fingerprint_inputs(strictness="standard")
    safe(BLOODY)
    assert SafePromptNode.fingerprint_inputs(strictness="standard") == before
    engine.error = EngineError("The worker died.")
    safe("a bloody knight on another hill")
    assert SafePromptNode.fingerprint_inputs(strictness="standard") != before


def test_a_missing_package_names_the_exact_command(
    service: Service, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing, "_PACKAGES", {"no_such_llama": "llama-cpp-python --prefer-binary"})
    engine.error = EngineError("llama-cpp-python is not installed.")
    reason = safe(BLOODY, on_block="empty").ui["posi"][0]["reason"]
    assert f'"{sys.executable}" -m pip install llama-cpp-python --prefer-binary' in reason
    engine.error = None
    engine.stubborn = {"bloody"}
    blocked = safe(BLOODY, policy=build(base="standard", similarity_floor=0.99)).ui["posi"][0]["reason"]
    assert "pip install" not in blocked


def test_a_policy_that_makes_no_sense_is_refused(host: Any) -> None:
    with pytest.raises(PolicyError, match="similarity_floor"):
        build(base="standard", similarity_floor=7.0)


def test_the_policy_node_keeps_what_the_preset_has(host: Any) -> None:
    from posi.posi_core.policy import load_policy

    policy = build(base="strict", violence=0.05, blocked_terms="foo, bar\nbaz")
    preset = load_policy("strict")
    assert policy.thresholds["violence"] == pytest.approx(0.05)
    assert policy.thresholds["sexual"] == preset.thresholds["sexual"]
    assert {"foo", "bar", "baz", *preset.blocked_terms} == set(policy.blocked_terms)


def test_a_bar_that_raises_does_not_swallow_the_interrupt(host: Any) -> None:
    """The bar may be what notices the interrupt first; the engine must still hear of it."""
    from posi.nodes import host as doors

    report = doors.progress()
    report("judge", 0.1)
    host.interrupted = True
    report("rewrite", 0.5)
    assert host.bars[-1] == [10]
    assert doors.interrupted()
