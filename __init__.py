"""POSI: safe prompts for text-to-image models, offline.

This folder is at once the pip package `posi`, a ComfyUI custom node folder and an AUTOMATIC1111/Forge
extension. Importing it loads nothing heavy; the names below are resolved when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .posi_core.safe_prompt import SafePrompter
    from .posi_core.verdict import Verdict

__version__ = "0.1.0"
__all__ = ["SafePrompter", "Verdict", "__version__"]

# ComfyUI serves this folder to the browser and loads every script in it.
WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> Any:
    """What ComfyUI calls when it loads its custom nodes; nothing of the host is imported before that."""
    from .nodes.extension import build

    return build()


def __getattr__(name: str) -> Any:
    if name == "SafePrompter":
        from .posi_core.safe_prompt import SafePrompter

        return SafePrompter
    if name == "Verdict":
        from .posi_core.verdict import Verdict

        return Verdict
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
