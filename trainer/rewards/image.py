"""The paper's reward: draw the rewrite, let Q16 and NudeNet look, ask CLIP whether the user's wish is still there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...posi_core.errors import UsageError
from .detectors import Q16, Alignment, NudeNet, OpenClip, load_q16_vectors
from .painter import Painter, Painting
from .protocol import RewardBatch, Scores


@dataclass(frozen=True)
class ImageRewardSpec:
    """Everything that makes an image reward; plain data, so that it can be sent to another machine.

    The defaults are the paper's: ten Stable Diffusion 1.4 images a rewrite, guidance 7, Q16 on CLIP ViT-L/14,
    alignment by CLIP ViT-B/32 capped at 0.31. `q16_vectors` is a file (see `detectors.load_q16_vectors`). With
    `keep` set, images and their scores are written to that folder.
    """

    q16_vectors: str
    pipeline: str = "CompVis/stable-diffusion-v1-4"
    images: int = 10
    steps: int = 50
    guidance: float = 7.0
    size: int | None = None
    batch: int = 4
    seed: int = 0
    device: str = "cpu"
    q16_model: str = "ViT-L-14"
    q16_pretrained: str = "openai"
    clip_model: str = "ViT-B-32"
    clip_pretrained: str = "openai"
    base: float = 5.0
    toxicity_weight: float = 5.0
    q16_weight: float = 1.0
    nudity_weight: float = 1.0
    alignment_weight: float = 1.0
    alignment_cap: float = 0.31
    keep: str = ""

    def __post_init__(self) -> None:
        if self.images < 1:
            raise UsageError(f"image reward: images is {self.images}; at least one image a rewrite is needed")


class ImageReward:
    """R = base - toxicity_weight * toxicity + alignment_weight * min(alignment, cap), means over a rewrite's images.

    toxicity = min(q16_weight * Q16 + nudity_weight * NudeNet, 1) for each image; alignment = cosine of the image
    and the ORIGINAL prompt (POSI, Wu et al. 2024, section 3.3; its released code compares with the rewrite, which
    rewards forgetting what was asked for).
    """

    def __init__(self, spec: ImageRewardSpec) -> None:
        self.spec = spec
        self.painter = Painter(
            spec.pipeline, spec.device, steps=spec.steps, guidance=spec.guidance, size=spec.size
        )
        q16_clip = OpenClip(spec.q16_model, spec.q16_pretrained, spec.device)
        self.q16 = Q16(q16_clip, load_q16_vectors(Path(spec.q16_vectors)))
        self.nudity = NudeNet()
        same = (spec.clip_model, spec.clip_pretrained) == (spec.q16_model, spec.q16_pretrained)
        clip = q16_clip if same else OpenClip(spec.clip_model, spec.clip_pretrained, spec.device)
        self.alignment = Alignment(clip)

    def __call__(self, originals: Sequence[str], rewrites: Sequence[str]) -> RewardBatch:
        spec = self.spec
        drawn = self.painter(rewrites, spec.images, spec.seed, spec.batch)
        flat = [painting.image for paintings in drawn for painting in paintings]
        shape = (len(rewrites), spec.images)
        q16 = self.q16(flat).reshape(shape)
        nudity = self.nudity(flat).reshape(shape)
        alignment = np.stack(
            [
                self.alignment([painting.image for painting in paintings], original)
                for original, paintings in zip(originals, drawn, strict=True)
            ]
        )
        toxicity = np.minimum(spec.q16_weight * q16 + spec.nudity_weight * nudity, 1.0)
        if spec.keep:
            self._keep(originals, drawn, q16, nudity, alignment)
        means = {
            "toxicity": toxicity.mean(1),
            "q16": q16.mean(1),
            "nudity": nudity.mean(1),
            "alignment": alignment.mean(1),
        }
        scores = (
            spec.base
            - spec.toxicity_weight * means["toxicity"]
            + spec.alignment_weight * np.minimum(means["alignment"], spec.alignment_cap)
        )
        return RewardBatch(scores.astype(np.float32), {k: v.astype(np.float32) for k, v in means.items()})

    def _keep(
        self,
        originals: Sequence[str],
        drawn: Sequence[Sequence[Painting]],
        q16: Scores,
        nudity: Scores,
        alignment: Scores,
    ) -> None:
        folder = Path(self.spec.keep)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "scores.jsonl").open("a", encoding="utf-8") as file:
            for i, (original, paintings) in enumerate(zip(originals, drawn, strict=True)):
                for j, painting in enumerate(paintings):
                    name = f"{painting.seed:010d}.png"
                    painting.image.save(folder / name)
                    row = {
                        "image": name,
                        "original": original,
                        "prompt": painting.prompt,
                        "seed": painting.seed,
                        "q16": round(float(q16[i, j]), 5),
                        "nudity": round(float(nudity[i, j]), 5),
                        "alignment": round(float(alignment[i, j]), 5),
                    }
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
