"""The service behind both hosts and the page: routes, limits, history, one engine a model."""

from __future__ import annotations

import json

import pytest
from fakes import FakeEncoder, FakeEngine, FakeScorer
from posi.posi_core.errors import PolicyError
from posi.posi_core.safe_prompt import ModelChoice, Parts
from posi.posi_core.service import MAX_CHARACTERS, MAX_PROMPTS, Service, service


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def shared(engine):
    return Service(Parts(engine=engine, scorer=FakeScorer(), encoder=FakeEncoder()), cache=False)


def test_rewrite_one_and_many(shared):
    status, answer = shared.handle("rewrite", {"text": "a bloody knight on a hill", "policy": "strict"})
    assert status == 200
    assert answer["verdicts"][0]["text"] == "a shining knight on a hill"
    status, answer = shared.handle(
        "rewrite", {"prompts": ["a lake", "a gun on a table by a lake"], "syntax": "comfyui"}
    )
    assert [verdict["action"] for verdict in answer["verdicts"]] == ["pass", "rewrite"]
    json.dumps(answer)


def test_policy_as_a_table(shared):
    policy = {"terms": {"blocked": ["lake"]}, "rewriting": {"drop_words": False}}
    _, answer = shared.handle("rewrite", {"text": "a lake", "policy": policy})
    assert answer["verdicts"][0]["action"] == "block"


def test_check(shared):
    status, answer = shared.handle("check", {"text": "a bloody knight"})
    assert status == 200
    (result,) = answer["results"]
    assert result["flagged"]
    assert result["risk"]["words"] == [{"word": "bloody", "start": 2, "end": 8, "share": 1.0}]
    json.dumps(answer)


@pytest.mark.parametrize(
    ("route", "payload", "status"),
    [
        ("nothing", {}, 404),
        ("__init__", {}, 404),
        ("rewrite", [], 400),
        ("rewrite", {}, 400),
        ("rewrite", {"text": 3}, 400),
        ("rewrite", {"text": "a", "prompts": ["b"]}, 400),
        ("rewrite", {"prompts": []}, 400),
        ("rewrite", {"prompts": ["a"] * (MAX_PROMPTS + 1)}, 400),
        ("rewrite", {"text": "a" * (MAX_CHARACTERS + 1)}, 400),
        ("rewrite", {"text": "a", "syntax": "html"}, 400),
        ("rewrite", {"text": "a", "syntax": ["plain"]}, 400),
        ("rewrite", {"text": "a", "policy": "/etc/passwd"}, 400),
        ("rewrite", {"text": "a", "policy": {"thresholds": {"hate": 3}}}, 400),
        ("rewrite", {"text": "a", "policy": ["standard"]}, 400),
        ("rewrite", {"text": "a", "model": "/tmp/x.gguf"}, 400),
        ("rewrite", {"text": "a", "seconds": -1}, 400),
        ("rewrite", {"text": "a", "seconds": True}, 400),
        ("rewrite", {"text": "a", "negative": 5}, 400),
        ("check", {"text": "a", "negative": "b"}, 400),
        ("status", {"x": 1}, 400),
    ],
)
def test_bad_requests(shared, route, payload, status):
    got, answer = shared.handle(route, payload)
    assert got == status
    assert "\n" not in answer["error"]


def test_faults_inside_are_answers(shared):
    shared.prompter().parts.scorer().error = RuntimeError("secret prompt")
    status, answer = shared.handle("check", {"text": "a"})
    assert status == 500
    assert "secret" not in answer["error"]
    status, answer = shared.handle("rewrite", {"text": "a"})
    assert (status, answer["verdicts"][0]["action"]) == (200, "block")


def test_history_is_bounded_newest_first(shared):
    for number in range(210):
        shared.handle("rewrite", {"text": f"lake {number}"})
    _, answer = shared.handle("history", {})
    assert len(answer["verdicts"]) == 200
    assert answer["verdicts"][0]["original"] == "lake 209"
    shared.handle("history", {"clear": True})
    assert shared.history == []


def test_prompters_and_parts_are_kept(shared):
    assert shared.prompter("strict") is shared.prompter("strict")
    assert shared.prompter("strict").parts is shared.prompter("standard").parts
    other = ModelChoice(threads=3)
    assert shared.prompter("strict", other) is shared.prompter("strict", other)
    assert shared.prompter("strict", other).parts is not shared.prompter("strict").parts
    assert shared.prompter("strict", other).parts.scorer() is shared.prompter("strict").parts.scorer()
    with pytest.raises(PolicyError):
        shared.prompter("mild")


def test_load_status_unload(shared, engine):
    status, answer = shared.handle("status", {})
    assert status == 200
    json.dumps(answer)
    assert shared.handle("load", {})[0] == 200
    assert engine.requests
    shared.handle("unload", {})
    assert engine.unloads == 1
    shared.close()
    assert engine.closed


def test_one_service_a_process():
    assert service() is service()
