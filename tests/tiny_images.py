"""A tiny random Stable Diffusion pipeline and a tiny random open_clip model, made in a second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from posi.trainer.rewards.image import ImageRewardSpec

TINY_CLIP = "posi-test-tiny"
TINY_DIMENSION = 32


def add_tiny_clip(folder: Path) -> str:
    """Register a random CLIP of 32 dimensions with open_clip; returns its name."""
    import open_clip

    config = {
        "embed_dim": TINY_DIMENSION,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    }
    (folder / f"{TINY_CLIP}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder)
    return TINY_CLIP


def write_q16_vectors(folder: Path) -> Path:
    """Random prompt vectors of the tiny CLIP's width."""
    path = folder / "q16.npy"
    np.save(path, np.random.default_rng(0).normal(size=(2, TINY_DIMENSION)).astype(np.float32))
    return path


def write_pipeline(folder: Path) -> Path:
    """A Stable Diffusion pipeline of random weights that draws 32 x 32 pixels, saved as diffusers does."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    letters = [chr(code) for code in range(33, 127)]
    vocabulary = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    ids = {token: index for index, token in enumerate(vocabulary)}
    words = folder / "words"
    words.mkdir(parents=True, exist_ok=True)
    (words / "vocab.json").write_text(json.dumps(ids))
    (words / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer.from_pretrained(str(words), model_max_length=77)
    text = CLIPTextConfig(
        vocab_size=len(ids),
        hidden_size=32,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
        projection_dim=32,
        bos_token_id=ids["<|startoftext|>"],
        eos_token_id=ids["<|endoftext|>"],
        pad_token_id=ids["<|endoftext|>"],
    )
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL(
            block_out_channels=(8, 8),
            norm_num_groups=4,
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(
            block_out_channels=(8, 16),
            norm_num_groups=4,
            layers_per_block=1,
            sample_size=16,
            in_channels=4,
            out_channels=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=32,
            attention_head_dim=4,
        ),
        scheduler=DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    target = folder / "pipeline"
    pipeline.save_pretrained(str(target))
    return target


def tiny_spec(folder: Path, **changes: Any) -> ImageRewardSpec:
    """An image reward of the three: two images a prompt, 32 pixels a side, one step."""
    clip = add_tiny_clip(folder)
    settings: dict[str, Any] = {
        "q16_vectors": str(write_q16_vectors(folder)),
        "pipeline": str(write_pipeline(folder)),
        "images": 2,
        "steps": 1,
        "size": 32,
        "q16_model": clip,
        "q16_pretrained": "",
        "clip_model": clip,
        "clip_pretrained": "",
    }
    return ImageRewardSpec(**{**settings, **changes})
