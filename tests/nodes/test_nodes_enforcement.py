"""The gate on POST /prompt: which texts reach an encoder, what is refused, what is rewritten into the graph."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from fakes import FakeScorer
from posi.nodes.enforcement import gate
from posi.nodes.enforcement.graph import Shape, feeds, only_negative
from posi.nodes.enforcement.review import refusal, review, with_posi_nodes
from posi.nodes.enforcement.shapes import shape_of
from posi.posi_core.service import Service

SHAPES = {
    "CheckpointLoaderSimple": Shape({"ckpt_name": "COMBO"}, ("MODEL", "CLIP", "VAE")),
    "CLIPTextEncode": Shape({"text": "STRING", "clip": "CLIP"}, ("CONDITIONING",)),
    "CLIPTextEncodeSDXL": Shape(
        {"text_g": "STRING", "text_l": "STRING", "clip": "CLIP", "width": "INT"}, ("CONDITIONING",)
    ),
    "KSampler": Shape({"positive": "CONDITIONING", "negative": "CONDITIONING", "cfg": "FLOAT"}, ("LATENT",)),
    "ControlNetApplyAdvanced": Shape(
        {"positive": "CONDITIONING", "negative": "CONDITIONING"},
        ("CONDITIONING", "CONDITIONING"),
        ("positive", "negative"),
    ),
    "StringConcatenate": Shape(
        {"string_a": "STRING", "string_b": "STRING", "delimiter": "STRING"}, ("STRING",)
    ),
    "PrimitiveString": Shape({"value": "STRING"}, ("STRING",)),
    "PromptPipe": Shape({"value": "STRING"}, ("PROMPT_PIPE",)),
    "PipeEncode": Shape({"pipe": "PROMPT_PIPE", "clip": "CLIP"}, ("CONDITIONING",)),
    "Captioner": Shape({"image": "IMAGE"}, ("STRING",)),
    "SaveImage": Shape({"images": "IMAGE", "filename_prefix": "STRING"}, ()),
    "CloudImage": Shape({"prompt": "STRING"}, ("IMAGE",), api=True),
    "PreviewAny": Shape({"source": "*"}, ()),
    "POSI_SafePrompt": Shape({"text": "STRING"}, ("STRING", "FLOAT", "BOOLEAN", "BOOLEAN", "STRING")),
    "POSI_SafeTextEncode": Shape({"text": "STRING", "clip": "CLIP"}, ("CONDITIONING",)),
    "POSI_PromptRisk": Shape({"text": "STRING"}, ("FLOAT", "STRING", "STRING")),
}
shape = SHAPES.get


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def encoding(text: Any, **others: dict[str, Any]) -> dict[str, Any]:
    """One text encoder as the positive of a sampler."""
    return {
        "1": node("CheckpointLoaderSimple", ckpt_name="bloody.safetensors"),
        "2": node("CLIPTextEncode", text=text, clip=["1", 1]),
        "3": node("KSampler", positive=["2", 0], negative=["9", 0], cfg=7.0),
        "9": node("CLIPTextEncode", text="", clip=["1", 1]),
        **others,
    }


def texts(graph: dict[str, Any]) -> list[str]:
    return [text for feed in feeds(graph, shape) for text in feed.texts]


def test_a_literal_reaches_the_encoder() -> None:
    (feed,) = feeds(encoding("a bloody knight"), shape)
    assert (feed.node, feed.input, feed.texts) == ("2", "text", ("a bloody knight",))


def test_links_are_followed_and_pieces_are_put_together() -> None:
    graph = encoding(
        ["5", 0],
        **{
            "5": node("StringConcatenate", string_a=["6", 0], string_b="ody knight", delimiter=""),
            "6": node("PrimitiveString", value="a blo"),
        },
    )
    assert "a bloody knight" in texts(graph)


def test_a_posi_node_on_the_way_clears_the_text() -> None:
    assert texts(encoding(["5", 0], **{"5": node("POSI_SafePrompt", text="a bloody knight")})) == []
    graph = encoding("")
    graph["2"] = node("POSI_SafeTextEncode", text="a bloody knight", clip=["1", 1])
    assert texts(graph) == []


@pytest.mark.parametrize("slot", [1, 4, -1, -5])
def test_only_the_text_slot_of_a_posi_node_is_trusted(slot: int) -> None:
    graph = encoding(["5", slot], **{"5": node("POSI_SafePrompt", text="a bloody knight")})
    assert texts(graph) == ["a bloody knight"]


def test_a_bypassed_posi_node_opens_no_hole() -> None:
    """The page leaves a bypassed node out and links around it; what arrives is the raw text."""
    graph = encoding(["6", 0], **{"6": node("PrimitiveString", value="a bloody knight")})
    assert texts(graph) == ["a bloody knight"]


def test_text_mixed_in_behind_a_posi_node_is_judged() -> None:
    graph = encoding(
        ["5", 0],
        **{
            "5": node("StringConcatenate", string_a=["6", 0], string_b="bloody", delimiter=" "),
            "6": node("POSI_SafePrompt", text="a naked knight"),
        },
    )
    assert texts(graph) == ["bloody"]


def test_every_input_of_an_encoder_counts() -> None:
    graph = encoding("")
    graph["2"] = node("CLIPTextEncodeSDXL", text_g="a hill", text_l="a gun", clip=["1", 1], width=512)
    assert [(feed.input, feed.texts) for feed in feeds(graph, shape)] == [
        ("text_g", ("a hill",)),
        ("text_l", ("a gun",)),
    ]


def test_text_on_an_unusual_wire_is_found() -> None:
    graph = encoding("", **{"5": node("PromptPipe", value="a gun")})
    graph["2"] = node("PipeEncode", pipe=["5", 0], clip=["1", 1])
    assert texts(graph) == ["a gun"]


def test_file_names_and_audits_are_not_prompts() -> None:
    graph = encoding(
        "a hill",
        **{
            "4": node("SaveImage", images=["3", 0], filename_prefix="bloody"),
            "5": node("POSI_PromptRisk", text="a gun"),
            "6": node("PreviewAny", source=["5", 2]),
        },
    )
    assert texts(graph) == ["a hill"]


def test_services_that_draw_are_encoders() -> None:
    assert texts({"1": node("CloudImage", prompt="a gun")}) == ["a gun"]


def test_literals_hidden_in_a_structure_are_found() -> None:
    assert texts(encoding({"__value__": ["a gun", {"deep": "a noose"}]})) == [
        "a gun",
        "a noose",
        "a gun a noose",
        "a guna noose",
    ]


class TestNegativePrompts:
    """ "nsfw, gore" as a negative prompt is what a careful user writes."""

    def graph(self, **sampler: Any) -> dict[str, Any]:
        return {
            "1": node("CLIPTextEncode", text="a hill", clip=["0", 1]),
            "2": node("CLIPTextEncode", text="gore", clip=["0", 1]),
            "3": node("KSampler", **{"positive": ["1", 0], "negative": ["2", 0], "cfg": 7.0, **sampler}),
        }

    def test_they_are_left_out(self) -> None:
        assert texts(self.graph()) == ["a hill"]

    def test_through_a_node_that_keeps_the_two_apart(self) -> None:
        graph = self.graph(positive=["4", 0], negative=["4", 1])
        graph["4"] = node("ControlNetApplyAdvanced", positive=["1", 0], negative=["2", 0])
        assert texts(graph) == ["a hill"]

    def test_not_when_the_two_are_swapped_on_the_way(self) -> None:
        graph = self.graph(positive=["4", 1], negative=["4", 0])
        graph["4"] = node("ControlNetApplyAdvanced", positive=["1", 0], negative=["2", 0])
        assert "gore" in texts(graph)

    def test_not_when_it_is_a_positive_as_well(self) -> None:
        assert "gore" in texts(self.graph(positive=["2", 0]))

    @pytest.mark.parametrize("cfg", [0.0, 0.99, -7, float("nan"), ["8", 0], True, "7", None])
    def test_not_when_guidance_may_draw_towards_it(self, cfg: Any) -> None:
        assert "gore" in texts(self.graph(cfg=cfg))

    def test_not_when_it_ends_nowhere(self) -> None:
        assert not only_negative({"2": node("CLIPTextEncode", text="gore")}, "2", shape)


def test_cycles_end() -> None:
    graph = encoding(
        ["5", 0], **{"5": node("StringConcatenate", string_a=["5", 0], string_b="a gun", delimiter="")}
    )
    assert texts(graph) == ["a gun"]


def test_a_graph_of_doublings_is_refused_not_walked_for_ever() -> None:
    chain = {
        str(n): node("StringConcatenate", string_a=[str(n + 1), 0], string_b=[str(n + 1), 0], delimiter="")
        for n in range(100, 160)
    }
    chain["160"] = node("PrimitiveString", value="a gun")
    with pytest.raises(ValueError, match="too many ways"):
        feeds(encoding(["100", 0], **chain), shape)


@pytest.mark.parametrize(
    "graph",
    [None, [], "x", {"1": None}, {"1": {"class_type": "A"}}, {"1": {"inputs": {}}}, {"1": {"class_type": 1}}],
)
def test_what_is_no_graph_is_an_error(graph: Any) -> None:
    with pytest.raises(ValueError, match=r"no graph|not an object|no class_type"):
        feeds(graph, shape)


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
