"""Graphs for the real ComfyUI, and what its answers say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hosts.comfyui.running import Comfy, node

RISKY = "a bloody knight holding a severed head, oil painting"
SAFE = "a lighthouse by the sea at dawn, watercolor"
NODES = (
    "POSI_SafePrompt",
    "POSI_SafeTextEncode",
    "POSI_PromptRisk",
    "POSI_Policy",
    "POSI_Model",
    "POSI_PromptList",
)


def safe_prompt(text: Any, **changes: Any) -> dict[str, Any]:
    return node("POSI_SafePrompt", **{"text": text, "strictness": "standard", "on_block": "stop", **changes})


def defaults(comfy: Comfy, name: str) -> dict[str, Any]:
    """The inputs of a node as the page would send them untouched."""
    required = comfy.get(f"/object_info/{name}")[name]["input"]["required"]
    return {key: spec[1]["default"] for key, spec in required.items()}


def verdict(entry: Any, node_id: str = "1") -> Any:
    (found,) = entry["outputs"][node_id]["posi"]
    return found


def sampler_graph(text: Any, *, seed: int = 1, **others: dict[str, Any]) -> dict[str, Any]:
    """Checkpoint, two encoders, sampler, decoding, saving; `text` is the positive prompt."""
    return {
        "10": node("CheckpointLoaderSimple", ckpt_name="tiny.safetensors"),
        "11": node("CLIPTextEncode", text=text, clip=["10", 1]),
        "12": node("CLIPTextEncode", text="gore, blood, nudity", clip=["10", 1]),
        "13": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "14": node(
            "KSampler",
            model=["10", 0],
            positive=["11", 0],
            negative=["12", 0],
            latent_image=["13", 0],
            seed=seed,
            steps=2,
            cfg=4.0,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
        ),
        "15": node("VAEDecode", samples=["14", 0], vae=["10", 2]),
        "16": node("SaveImage", images=["15", 0], filename_prefix="posi"),
        **others,
    }


def image(comfy: Comfy, entry: Any) -> Path:
    (found,) = entry["outputs"]["16"]["images"]
    return comfy.base / "output" / found["filename"]


def succeeded(entry: Any) -> bool:
    return bool(entry["status"]["status_str"] == "success")
