"""The gate on POST /prompt: what is refused, and what is rewritten into the graph."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from comfy_graphs import SHAPES, encoding, node, shape
from fakes import FakeScorer
from posi.nodes.enforcement import gate
from posi.nodes.enforcement.graph import Shape
from posi.nodes.enforcement.review import refusal, review, with_posi_nodes
from posi.nodes.enforcement.shapes import shape_of
from posi.posi_core.service import Service


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch, service: Service) -> Service:
    monkeypatch.setenv("POSI_ENFORCE", "refuse")
    return service


def test_off_judges_nothing(service: Service, scorer: FakeScorer) -> None:
    found = review(encoding("a bloody knight"), shape)
    assert not found.refused
    assert scorer.calls == []


def test_refusing_names_node_and_reason_but_not_the_text(refuse: Service) -> None:
    found = review(encoding("a bloody knight"), shape)
    assert found.refused
    body = refusal(found)
    assert "violence 0.90" in body["error"]["details"]
    assert "bloody" not in json.dumps(body)
    assert body["node_errors"]["2"]["errors"][0]["extra_info"] == {"input_name": "text"}


def test_what_is_clean_goes_on(refuse: Service) -> None:
    assert not review(encoding("a knight on a hill"), shape).refused


def test_judged_texts_are_remembered(refuse: Service, scorer: FakeScorer) -> None:
    review(encoding("a river bend"), shape)
    calls = len(scorer.calls)
    review(encoding("a river bend"), shape)
    assert len(scorer.calls) == calls


def test_a_scorer_that_fails_refuses(refuse: Service, scorer: FakeScorer) -> None:
    scorer.error = RuntimeError("no model")
    found = review(encoding("never seen before"), shape)
    assert found.refused
    assert "no model" in refusal(found)["error"]["details"]


def test_a_wrong_variable_refuses_and_says_so(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSI_ENFORCE", "yes please")
    found = review(encoding("a hill"), shape)
    assert found.refused
    assert "POSI_ENFORCE" in found.error


def test_the_settings_page_can_switch_it_on(service: Service, host: Any) -> None:
    host.settings('{"POSI.Enforcement.Mode": "refuse"}')
    assert review(encoding("a bloody knight"), shape).refused
    host.settings('{"POSI.Enf')  # half written
    assert review(encoding("a bloody knight"), shape).refused
    host.settings("{}")
    assert not review(encoding("a bloody knight"), shape).refused


def test_the_environment_wins_over_the_page(
    service: Service, host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSI_ENFORCE", "refuse")
    host.settings('{"POSI.Enforcement.Mode": "off"}')
    assert review(encoding("a bloody knight"), shape).refused


def test_rewriting_puts_a_node_before_the_text(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSI_ENFORCE", "rewrite")
    monkeypatch.setenv("POSI_ENFORCE_POLICY", "strict")
    graph = encoding("a bloody knight")
    found = review(graph, shape)
    assert not found.refused
    changed = with_posi_nodes(graph, found)
    source, slot = changed["2"]["inputs"]["text"]
    assert slot == 0
    assert changed[source]["class_type"] == "POSI_SafePrompt"
    assert changed[source]["inputs"] == {
        "text": "a bloody knight",
        "strictness": "strict",
        "on_block": "stop",
    }
    assert graph["2"]["inputs"]["text"] == "a bloody knight"
    assert not review(changed, shape).findings


def test_rewriting_keeps_a_link_as_the_input_of_the_new_node(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSI_ENFORCE", "rewrite")
    graph = encoding(["6", 0], **{"6": node("PrimitiveString", value="a bloody knight")})
    changed = with_posi_nodes(graph, review(graph, shape))
    assert changed[changed["2"]["inputs"]["text"][0]]["inputs"]["text"] == ["6", 0]


def test_shapes_are_read_from_either_kind_of_node_class(host: Any) -> None:
    class Old:
        RETURN_TYPES = ("CONDITIONING",)

        @classmethod
        def INPUT_TYPES(cls) -> dict[str, Any]:
            return {
                "required": {"text": ("STRING", {}), "name": (["a", "b"],)},
                "optional": {"more": ("STRING,INT",)},
            }

    host.classes["Old"] = Old
    assert shape_of("Old") == Shape(
        {"text": "STRING", "name": "COMBO", "more": "STRING"}, ("CONDITIONING",), ("CONDITIONING",)
    )
    assert shape_of("Unknown") is None


class FakeServer:
    """ComfyUI's server as far as POST /prompt goes, its swallowing of a handler's exceptions included."""

    def __init__(self) -> None:
        self.app = web.Application()
        self.handlers: list[Any] = []
        self.queued: list[dict[str, Any]] = []
        self.app.router.add_post("/prompt", self.post_prompt)
        self.app.router.add_post("/other", self.post_prompt)

    def add_on_prompt_handler(self, handler: Any) -> None:
        self.handlers.append(handler)

    async def post_prompt(self, request: web.Request) -> web.Response:
        data = await request.json()
        for handler in self.handlers:
            data = handler(data)
        if "prompt" not in data:
            return web.json_response({"error": {"type": "no_prompt"}}, status=400)
        self.queued.append(data)
        return web.json_response({"prompt_id": "1"})


def post(path: str, body: Any) -> tuple[int, Any, FakeServer]:
    async def talk() -> tuple[int, Any, FakeServer]:
        server = FakeServer()
        gate.install(server)
        async with TestClient(TestServer(server.app)) as client:
            response = await client.post(path, json=body)
            return response.status, await response.json(), server

    return asyncio.run(talk())


@pytest.fixture
def classes(host: Any) -> None:
    for name, known in SHAPES.items():
        declared = {"required": {key: (kind, {}) for key, kind in known.inputs.items()}}
        host.classes[name] = type(
            name,
            (),
            {
                "RETURN_TYPES": known.outputs,
                "RETURN_NAMES": known.output_names or known.outputs,
                "API_NODE": known.api,
                "INPUT_TYPES": classmethod(lambda cls, declared=declared: declared),
            },
        )


@pytest.mark.usefixtures("classes")
class TestGate:
    def test_off_lets_everything_through(self, service: Service) -> None:
        status, _, server = post("/prompt", {"prompt": encoding("a bloody knight")})
        assert status == 200
        assert server.queued

    def test_a_refusal_is_readable(self, refuse: Service) -> None:
        status, body, server = post("/prompt", {"prompt": encoding("a bloody knight")})
        assert status == 400
        assert body["error"]["type"] == "posi_refused"
        assert "2" in body["node_errors"]
        assert server.queued == []

    def test_prompts_queued_by_another_route_are_caught_too(self, refuse: Service) -> None:
        status, _, server = post("/other", {"prompt": encoding("a bloody knight")})
        assert status == 400
        assert server.queued == []

    def test_a_graph_that_cannot_be_read_does_not_run(self, refuse: Service) -> None:
        status, body, server = post("/prompt", {"prompt": {"1": "nonsense"}})
        assert (status, server.queued) == (400, [])
        assert "could not be judged" in body["error"]["details"]

    def test_a_rewritten_graph_is_what_is_queued(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("POSI_ENFORCE", "rewrite")
        status, _, server = post("/prompt", {"prompt": encoding("a bloody knight")})
        assert status == 200
        assert "posi-2-text" in server.queued[0]["prompt"]

    def test_a_fault_while_preparing_does_not_open_the_gate(
        self, refuse: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(_data: Any) -> Any:
            raise RuntimeError

        monkeypatch.setattr(gate.redaction, "prepare", broken)
        status, body, server = post("/prompt", {"prompt": encoding("a hill")})
        assert (status, server.queued) == (400, [])
        assert "could not be prepared" in body["error"]["details"]
