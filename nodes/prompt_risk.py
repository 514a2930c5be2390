"""POSI Prompt Risk: scores and the words that carry them; changes nothing."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..posi_core.policy import load_policy
from ..posi_core.service import service
from . import missing, report, run
from .sockets import CATEGORY


class PromptRiskNode(io.ComfyNode):
    """Judges a prompt and shows the heat map of its words."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="POSI_PromptRisk",
            display_name="POSI Prompt Risk",
            category=CATEGORY,
            description="Shows how risky a prompt is, by category and by word. It changes nothing.",
            inputs=[
                io.String.Input(
                    "text", multiline=True, dynamic_prompts=True, default="", tooltip="The prompt to judge."
                )
            ],
            outputs=[
                io.Float.Output(
                    "risk", display_name="risk", tooltip="Predicted share of inappropriate images."
                ),
                io.String.Output(
                    "category", display_name="category", tooltip="The category that stands out."
                ),
                io.String.Output("report", display_name="report", tooltip="All scores and words as JSON."),
            ],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, **_inputs: Any) -> str:
        """Runs again when the scorer's file changed."""
        return run.identity("standard")

    @classmethod
    def execute(cls, text: object) -> io.NodeOutput:
        texts, batch = run.texts_of(text)
        line = missing.command("onnxruntime", "tokenizers")
        if line is not None:
            raise RuntimeError(
                f"POSI cannot score prompts: a package is missing. Stop ComfyUI and run {line}"
            )
        prompter = service().prompter(load_policy("standard"), None)
        risks = [prompter.check(item, syntax="comfyui") for item in texts]
        worst = max(risks, key=lambda risk: risk.overall, default=None)
        entries = [report.risk_entry(t, r) for t, r in zip(texts, risks, strict=True)]
        return io.NodeOutput(
            worst.overall if worst else 0.0,
            worst.top if worst else "",
            report.as_json(entries, batch),
            ui=report.risks_ui(texts, risks),
        )
