"""Workflows as ComfyUI's API has them, and the shapes of the node classes in them."""

from __future__ import annotations

from typing import Any

from posi.nodes.enforcement.graph import Shape, feeds

SHAPES = {
    "CheckpointLoaderSimple": Shape({"ckpt_name": "COMBO"}, ("MODEL", "CLIP", "VAE")),
    "CLIPTextEncode": Shape({"text": "STRING", "clip": "CLIP"}, ("CONDITIONING",)),
    "CLIPTextEncodeSDXL": Shape(
        {"text_g": "STRING", "text_l": "STRING", "clip": "CLIP", "width": "INT"}, ("CONDITIONING",)
    ),
    "KSampler": Shape({"positive": "CONDITIONING", "negative": "CONDITIONING", "cfg": "FLOAT"}, ("LATENT",)),
    "ControlNetApplyAdvanced": Shape(
        {"positive": "CONDITIONING", "negative": "CONDITIONING"},
        ("CONDITIONING", "CONDITIONING"),
        ("positive", "negative"),
    ),
    "StringConcatenate": Shape(
        {"string_a": "STRING", "string_b": "STRING", "delimiter": "STRING"}, ("STRING",)
    ),
    "PrimitiveString": Shape({"value": "STRING"}, ("STRING",)),
    "PromptPipe": Shape({"value": "STRING"}, ("PROMPT_PIPE",)),
    "PipeEncode": Shape({"pipe": "PROMPT_PIPE", "clip": "CLIP"}, ("CONDITIONING",)),
    "Captioner": Shape({"image": "IMAGE"}, ("STRING",)),
    "SaveImage": Shape({"images": "IMAGE", "filename_prefix": "STRING"}, ()),
    "CloudImage": Shape({"prompt": "STRING"}, ("IMAGE",), api=True),
    "PreviewAny": Shape({"source": "*"}, ()),
    "POSI_SafePrompt": Shape({"text": "STRING"}, ("STRING", "FLOAT", "BOOLEAN", "BOOLEAN", "STRING")),
    "POSI_SafeTextEncode": Shape({"text": "STRING", "clip": "CLIP"}, ("CONDITIONING",)),
    "POSI_PromptRisk": Shape({"text": "STRING"}, ("FLOAT", "STRING", "STRING")),
}
shape = SHAPES.get


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def encoding(text: Any, **others: dict[str, Any]) -> dict[str, Any]:
    """One text encoder as the positive of a sampler."""
    return {
        "1": node("CheckpointLoaderSimple", ckpt_name="bloody.safetensors"),
        "2": node("CLIPTextEncode", text=text, clip=["1", 1]),
        "3": node("KSampler", positive=["2", 0], negative=["9", 0], cfg=7.0),
        "9": node("CLIPTextEncode", text="", clip=["1", 1]),
        **others,
    }


def texts(graph: dict[str, Any]) -> list[str]:
    return [text for feed in feeds(graph, shape) for text in feed.texts]
