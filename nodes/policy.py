"""POSI Policy: what counts as too risky, as a wire for the other nodes."""

from __future__ import annotations

import re
from typing import Any

from comfy_api.latest import io

from ..posi_core.policy import PRESETS, Policy, load_policy, policy_from_mapping
from ..posi_core.verdict import CATEGORIES
from .sockets import CATEGORY, PolicySocket

AS_PRESET = -1.0
"""A threshold input with this value leaves the preset's own."""


class PolicyNode(io.ComfyNode):
    """Builds a Policy from a preset and what differs from it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="POSI_Policy",
            display_name="POSI Policy",
            category=CATEGORY,
            description="Sets what counts as too risky: thresholds, own terms, LoRA names, the text used when "
            "a prompt is blocked.",
            inputs=[
                io.Combo.Input(
                    "base", options=list(PRESETS), default="standard", tooltip="The preset to start from."
                ),
                *(
                    io.Float.Input(
                        threshold_input(name),
                        display_name=name,
                        default=AS_PRESET,
                        min=AS_PRESET,
                        max=1.0,
                        step=0.05,
                        tooltip=f"Highest allowed probability of {what}. -1: as in the preset; 1: never minded.",
                    )
                    for name, what in (("overall", "an inappropriate image"), *((c, c) for c in CATEGORIES))
                ),
                _terms("blocked_terms", "Terms that are never let through, one a line or split by commas."),
                _terms("allowed_terms", "Terms that the risk score leaves out of account."),
                _terms(
                    "blocked_networks", "LoRA and embedding names that are refused; * stands for anything."
                ),
                io.String.Input(
                    "replacement",
                    default=load_policy("standard").replacement,
                    tooltip='Goes on in place of a blocked prompt when on_block is "neutral".',
                ),
                io.Float.Input(
                    "similarity_floor",
                    default=AS_PRESET,
                    min=AS_PRESET,
                    max=1.0,
                    step=0.05,
                    tooltip="How close in meaning a rewrite must stay (0 to 1). -1: as in the preset.",
                ),
            ],
            outputs=[PolicySocket.Output("policy", display_name="policy")],
        )

    @classmethod
    def execute(cls, **values: Any) -> io.NodeOutput:
        return io.NodeOutput(build(**values))


def threshold_input(name: str) -> str:
    """Input id of a threshold: "self-harm" -> "self_harm"."""
    return re.sub(r"\W", "_", name)


def build(*, base: str, **values: Any) -> Policy:
    """The Policy of one node's inputs. Raises PolicyError, which ComfyUI shows on the node."""
    data: dict[str, Any] = {"base": base, "thresholds": {}, "terms": {}, "networks": {}, "rewriting": {}}
    for name in ("overall", *CATEGORIES):
        value = float(values.get(threshold_input(name), AS_PRESET))
        if value >= 0:
            data["thresholds"][name] = value
    data["terms"]["blocked"] = _split(values.get("blocked_terms", ""))
    data["terms"]["allowed"] = _split(values.get("allowed_terms", ""))
    data["networks"]["blocked"] = _split(values.get("blocked_networks", ""))
    data["block"] = {"replacement": str(values.get("replacement", ""))}
    if float(values.get("similarity_floor", AS_PRESET)) >= 0:
        data["rewriting"]["similarity_floor"] = float(values["similarity_floor"])
    preset = load_policy(base)
    data["terms"]["blocked"] += [t for t in preset.blocked_terms if t not in data["terms"]["blocked"]]
    data["networks"]["blocked"] += [
        n for n in preset.blocked_networks if n not in data["networks"]["blocked"]
    ]
    return policy_from_mapping(data, name=f"{base}+node")


def _terms(name: str, tooltip: str) -> Any:
    return io.String.Input(name, multiline=True, default="", tooltip=tooltip)


def _split(text: str) -> list[str]:
    return [term for term in (part.strip() for part in re.split(r"[,\n]", text)) if term]
