"""What the nodes declare: ids, sockets, order. Saved workflows depend on all of it."""

from __future__ import annotations

from typing import Any

import pytest
from posi.nodes.model import ModelNode
from posi.nodes.policy import PolicyNode
from posi.nodes.prompt_list import PromptListNode
from posi.nodes.prompt_risk import PromptRiskNode
from posi.nodes.safe_prompt import SafePromptNode
from posi.nodes.safe_text_encode import SafeTextEncodeNode

CASES: list[tuple[Any, str, list[str], list[tuple[str, str]]]] = [
    (
        SafePromptNode,
        "POSI_SafePrompt",
        ["text", "strictness", "on_block", "policy", "model"],
        [
            ("STRING", "text"),
            ("FLOAT", "risk"),
            ("BOOLEAN", "changed"),
            ("BOOLEAN", "blocked"),
            ("STRING", "report"),
        ],
    ),
    (
        SafeTextEncodeNode,
        "POSI_SafeTextEncode",
        ["text", "clip", "strictness", "on_block", "policy", "model"],
        [("CONDITIONING", "CONDITIONING")],
    ),
    (
        PromptRiskNode,
        "POSI_PromptRisk",
        ["text"],
        [("FLOAT", "risk"), ("STRING", "category"), ("STRING", "report")],
    ),
    (
        PolicyNode,
        "POSI_Policy",
        [
            "base",
            "overall",
            "hate",
            "harassment",
            "violence",
            "self_harm",
            "sexual",
            "shocking",
            "illegal_activity",
            "blocked_terms",
            "allowed_terms",
            "blocked_networks",
            "replacement",
            "similarity_floor",
        ],
        [("POSI_POLICY", "policy")],
    ),
    (
        ModelNode,
        "POSI_Model",
        ["model", "gpu_layers", "threads", "keep_loaded", "endpoint", "endpoint_model"],
        [("POSI_MODEL", "model")],
    ),
    (PromptListNode, "POSI_PromptList", ["text"], [("STRING", "prompts")]),
]


@pytest.mark.parametrize(("node", "node_id", "inputs", "outputs"), CASES, ids=[case[1] for case in CASES])
def test_sockets_and_their_order(
    host: Any, node: Any, node_id: str, inputs: list[str], outputs: list[tuple[str, str]]
) -> None:
    schema = node.define_schema()
    assert schema.node_id == node_id
    assert schema.category == "POSI"
    assert [socket.id for socket in schema.inputs] == inputs
    assert [(socket.io_type, socket.options["display_name"]) for socket in schema.outputs] == outputs


@pytest.mark.parametrize("node", [case[0] for case in CASES])
def test_input_and_output_ids_are_distinct_as_comfyui_demands(host: Any, node: Any) -> None:
    schema = node.define_schema()
    ids = [socket.id for socket in (*schema.inputs, *schema.outputs)]
    assert len(ids) == len(set(ids))


def test_a_lone_safe_prompt_runs_but_encoding_waits_for_a_sampler(host: Any) -> None:
    assert SafePromptNode.define_schema().is_output_node
    assert PromptRiskNode.define_schema().is_output_node
    assert not SafeTextEncodeNode.define_schema().is_output_node


def test_every_input_that_has_a_default_is_within_its_range(host: Any) -> None:
    for node, *_ in CASES:
        for socket in node.define_schema().inputs:
            options = socket.options
            if socket.io_type == "COMBO":
                assert options["default"] in options["options"]
            if "min" in options:
                assert options["min"] <= options["default"] <= options["max"]
