"""The V3 extension that ComfyUI loads: its nodes, the routes, the gate."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from . import host, memory, redaction, routes
from .enforcement import gate
from .model import ModelNode
from .policy import PolicyNode
from .prompt_list import PromptListNode
from .prompt_risk import PromptRiskNode
from .safe_prompt import SafePromptNode
from .safe_text_encode import SafeTextEncodeNode

NODES: tuple[type[io.ComfyNode], ...] = (
    SafePromptNode,
    SafeTextEncodeNode,
    PromptRiskNode,
    PolicyNode,
    ModelNode,
    PromptListNode,
)


class PosiExtension(ComfyExtension):
    """ComfyUI asks it for its nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return list(NODES)


def build() -> PosiExtension:
    """Installs what belongs to the server and returns the extension.

    It happens here, not in `on_load`, which ComfyUI 0.3.64 never calls.
    """
    from server import PromptServer

    host.share_llm_folder()
    routes.install(PromptServer.instance)
    gate.install(PromptServer.instance)
    redaction.install()
    memory.install()
    return PosiExtension()
