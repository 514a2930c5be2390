"""POSI Safe Text Encode: CLIP Text Encode that makes its text safe first."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..posi_core.policy import Policy
from ..posi_core.safe_prompt import ModelChoice
from . import host, report, run
from .safe_prompt import shared_inputs
from .sockets import CATEGORY


class SafeTextEncodeNode(io.ComfyNode):
    """Takes the place of CLIP Text Encode: same inputs, same output."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="POSI_SafeTextEncode",
            display_name="POSI Safe Text Encode",
            category=CATEGORY,
            description="Makes a prompt safe and encodes it. Put it in the place of CLIP Text Encode (Prompt).",
            inputs=[
                io.String.Input(
                    "text", multiline=True, dynamic_prompts=True, default="", tooltip="The prompt to encode."
                ),
                io.Clip.Input("clip", tooltip="The CLIP model that encodes the text."),
                *shared_inputs(),
            ],
            outputs=[io.Conditioning.Output("conditioning", display_name="CONDITIONING")],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt],
        )

    @classmethod
    def fingerprint_inputs(cls, strictness: str = "standard", **_others: Any) -> str:
        """Runs again when the policy, a model file or the server's floor changed."""
        return run.identity(strictness)

    @classmethod
    def execute(
        cls,
        text: object,
        clip: Any,
        strictness: str,
        on_block: str,
        policy: Policy | None = None,
        model: ModelChoice | None = None,
    ) -> io.NodeOutput:
        if clip is None:
            raise RuntimeError(
                "The clip input is empty: the checkpoint holds no text encoder. Load one with a CLIP loader."
            )

        answers = run.safe_texts(
            text, cls.hidden, strictness=strictness, on_block=on_block, policy=policy, model=model
        )
        ui = report.verdicts_ui(answers.verdicts)
        if answers.stopped is not None:
            return io.NodeOutput(host.blocker(f"POSI: {answers.stopped}"), ui=ui)
        encoded = [clip.encode_from_tokens_scheduled(clip.tokenize(v.text)) for v in answers.verdicts]
        return io.NodeOutput([entry for conditioning in encoded for entry in conditioning], ui=ui)
