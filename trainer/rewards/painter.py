"""Images for prompts from any diffusers text-to-image pipeline, with seeds that are varied and recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL.Image import Image


@dataclass(frozen=True)
class Painting:
    """One image, the prompt that it was made from and the seed that makes it again."""

    image: Image
    prompt: str
    seed: int


def seeds_for(prompt: str, count: int, run_seed: int) -> list[int]:
    """`count` seeds below 2**31, a function of the prompt and the run's seed alone.

    Seeds thus vary between prompts and images, and a batch split over machines makes the same images.
    """
    return [
        int.from_bytes(hashlib.sha256(f"{run_seed}/{index}/{prompt}".encode()).digest()[:4], "big") >> 1
        for index in range(count)
    ]


class Painter:
    """A diffusers pipeline (hub id or folder) on one device.

    The pipeline's own safety checker is switched off: it would hide from the detectors what is to be measured.
    Prompts beyond the text encoder's context are cut by its tokenizer, at whole tokens.
    """

    def __init__(
        self,
        pipeline: str,
        device: str = "cpu",
        *,
        steps: int = 50,
        guidance: float = 7.0,
        size: int | None = None,
    ) -> None:
        import torch
        from diffusers import AutoPipelineForText2Image

        kind = torch.float32 if device == "cpu" else torch.float16
        self.pipeline: Any = AutoPipelineForText2Image.from_pretrained(
            pipeline, torch_dtype=kind, safety_checker=None, requires_safety_checker=False
        ).to(device)
        self.pipeline.set_progress_bar_config(disable=True)
        self.device = device
        self.steps = steps
        self.guidance = guidance
        self.size = size
        self._torch = torch

    def __call__(
        self, prompts: Sequence[str], count: int, run_seed: int, batch: int = 4
    ) -> list[list[Painting]]:
        """`count` paintings for each prompt, in order."""
        wanted = [(prompt, seed) for prompt in prompts for seed in seeds_for(prompt, count, run_seed)]
        done: list[Painting] = []
        for start in range(0, len(wanted), batch):
            part = wanted[start : start + batch]
            # One generator an image, on the CPU: the same seed then gives the same noise on every device.
            generators = [self._torch.Generator("cpu").manual_seed(seed) for _, seed in part]
            shape = {} if self.size is None else {"height": self.size, "width": self.size}
            images = self.pipeline(
                [prompt for prompt, _ in part],
                num_inference_steps=self.steps,
                guidance_scale=self.guidance,
                generator=generators,
                **shape,
            ).images
            done += [Painting(image, *pair) for image, pair in zip(images, part, strict=True)]
        return [done[i * count : (i + 1) * count] for i in range(len(prompts))]
