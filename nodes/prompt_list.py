"""POSI Prompt List: many prompts from one text, for audits and batches."""

from __future__ import annotations

from comfy_api.latest import io

from .sockets import CATEGORY


class PromptListNode(io.ComfyNode):
    """Every line is a prompt; the nodes behind it run once for each."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="POSI_PromptList",
            display_name="POSI Prompt List",
            category=CATEGORY,
            description="Makes a list of prompts from a text with one prompt a line. The nodes behind it run once "
            "for each prompt.",
            inputs=[
                io.String.Input(
                    "text",
                    multiline=True,
                    default="",
                    tooltip="One prompt a line. Empty lines, and lines that begin with #, are left out.",
                )
            ],
            outputs=[io.String.Output("prompts", display_name="prompts", is_output_list=True)],
        )

    @classmethod
    def execute(cls, text: str) -> io.NodeOutput:
        lines = (line.strip() for line in text.splitlines())
        return io.NodeOutput([line for line in lines if line and not line.startswith("#")])
