"""ComfyUI's "unload models" and "free memory" reach POSI's engine too."""

from __future__ import annotations

import logging
from typing import Any

import comfy.model_management

from ..posi_core.service import service


def install() -> None:
    """Wraps `unload_all_models`, which /free, the menu, and ComfyUI after running out of memory all call."""
    original = comfy.model_management.unload_all_models

    def unload_all_models(*args: Any, **kwargs: Any) -> Any:
        try:
            service().unload()
        except Exception:  # the host's own unloading must go on
            logging.exception("POSI: the engine could not be unloaded.")
        return original(*args, **kwargs)

    comfy.model_management.unload_all_models = unload_all_models
