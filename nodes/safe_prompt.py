"""POSI Safe Prompt: text in, safe text out."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..posi_core.policy import PRESETS, Policy
from ..posi_core.safe_prompt import ModelChoice
from . import host, report, run
from .sockets import CATEGORY, ModelSocket, PolicySocket


class SafePromptNode(io.ComfyNode):
    """Rewrites a prompt until it is safe. An output node, so that it runs with nothing behind it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="POSI_SafePrompt",
            display_name="POSI Safe Prompt",
            category=CATEGORY,
            description="Rewrites a prompt so that what is toxic in it is gone and the rest stays. A safe prompt "
            "passes unchanged. Works alone, offline, with the model that comes with it.",
            inputs=[
                io.String.Input(
                    "text",
                    multiline=True,
                    dynamic_prompts=True,
                    default="",
                    tooltip="The prompt to make safe.",
                ),
                *shared_inputs(),
            ],
            outputs=[
                io.String.Output(
                    "safe_text", display_name="text", tooltip="The prompt to give to a text encoder."
                ),
                io.Float.Output("risk", display_name="risk", tooltip="Overall risk of that text, 0 to 1."),
                io.Boolean.Output("changed", display_name="changed"),
                io.Boolean.Output("blocked", display_name="blocked"),
                io.String.Output("report", display_name="report", tooltip="The whole verdict as JSON."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, strictness: str = "standard", **_others: Any) -> str:
        """Runs again when the policy, a model file or the server's floor changed."""
        return run.identity(strictness)

    @classmethod
    def execute(
        cls,
        text: object,
        strictness: str,
        on_block: str,
        policy: Policy | None = None,
        model: ModelChoice | None = None,
    ) -> io.NodeOutput:
        answers = run.safe_texts(
            text, cls.hidden, strictness=strictness, on_block=on_block, policy=policy, model=model
        )
        verdicts, batch = answers.verdicts, answers.batch
        safe = [v.text for v in verdicts]
        stopped = answers.stopped is not None
        return io.NodeOutput(
            host.blocker(f"POSI: {answers.stopped}") if stopped else safe if batch else safe[0],
            max((report.risk_of(v) for v in verdicts), default=0.0),
            any(v.changed for v in verdicts),
            any(v.blocked for v in verdicts),
            report.as_json([v.to_dict() for v in verdicts], batch),
            ui=report.verdicts_ui(verdicts),
        )


def shared_inputs() -> list[Any]:
    """The inputs that POSI Safe Prompt and POSI Safe Text Encode have in common, in their saved order."""
    return [
        io.Combo.Input(
            "strictness",
            options=list(PRESETS),
            default="standard",
            tooltip="Not used when a policy is linked.",
        ),
        io.Combo.Input(
            "on_block",
            options=list(run.ON_BLOCK),
            default="stop",
            tooltip="When no safe wording is found: stop what hangs on this node and say why, go on with a "
            "neutral text, or go on with an empty text.",
        ),
        PolicySocket.Input("policy", optional=True, tooltip="From POSI Policy."),
        ModelSocket.Input("model", optional=True, tooltip="From POSI Model."),
    ]
