"""Which texts reach an encoder in a graph, through links, pieces and nodes of ours."""

from __future__ import annotations

from typing import Any

import pytest
from comfy_graphs import encoding, node, shape, texts
from posi.nodes.enforcement.graph import feeds, only_negative


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
