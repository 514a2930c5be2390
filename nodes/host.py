"""What the nodes ask of ComfyUI: progress, interruption, memory, model folders. Nothing else touches them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import comfy.model_management
import comfy.utils
import folder_paths
from comfy_execution.graph_utils import ExecutionBlocker

LLM_FOLDER = "LLM"


def blocker(reason: str) -> ExecutionBlocker:
    """Stands in an output slot: what hangs on that slot does not run, and the UI shows the reason."""
    return ExecutionBlocker(reason)


def progress() -> Callable[[str, float], None]:
    """A callback (stage, fraction in [0, 1]) that moves the bar of the node that runs."""
    bar = comfy.utils.ProgressBar(100)

    def report(_stage: str, fraction: float) -> None:
        try:
            bar.update_absolute(max(0, min(100, round(fraction * 100))))
        except comfy.model_management.InterruptProcessingException:
            # The bar takes the user's wish to stop with it: put it back, where `interrupted` finds it.
            comfy.model_management.interrupt_current_processing()

    return report


def interrupted() -> bool:
    """True once the user asked to stop; ComfyUI itself looks only between nodes."""
    return bool(comfy.model_management.processing_interrupted())


def raise_if_interrupted() -> None:
    """Ends the run as ComfyUI's own nodes do when the user asked to stop."""
    comfy.model_management.throw_exception_if_processing_interrupted()


def has_gpu() -> bool:
    """True if ComfyUI itself works on a GPU."""
    return str(comfy.model_management.get_torch_device().type) != "cpu"


def make_room(bytes_needed: int) -> None:
    """Asks ComfyUI to move its own models off the GPU until `bytes_needed` are free there."""
    comfy.model_management.free_memory(bytes_needed, comfy.model_management.get_torch_device())


def share_llm_folder() -> None:
    """Adds models/LLM, where most packs keep language models; paths from extra_model_paths stay."""
    folder_paths.add_model_folder_path(LLM_FOLDER, os.path.join(folder_paths.models_dir, LLM_FOLDER))


def gguf_names() -> list[str]:
    """The .gguf files in the LLM folders, by the name under which `gguf_path` finds them."""
    return [name for name in folder_paths.get_filename_list(LLM_FOLDER) if name.lower().endswith(".gguf")]


def gguf_path(name: str) -> Path:
    """Raises FileNotFoundError for a name that `gguf_names` does not list."""
    if name not in gguf_names():
        raise FileNotFoundError(f"{name} is not a .gguf file in models/{LLM_FOLDER}.")
    return Path(folder_paths.get_full_path_or_raise(LLM_FOLDER, name))
