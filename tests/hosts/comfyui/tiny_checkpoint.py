"""Writes a checkpoint that ComfyUI loads as Stable Diffusion 1.5: random weights, a UNet of one level, TAESD.

Run by ComfyUI's interpreter with the checkout on its path: `python tiny_checkpoint.py CHECKOUT FILE`. Its pictures
are noise; what it proves is that text, sampler and saving work together.
"""

import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
target = Path(sys.argv[2])
sys.argv = [sys.argv[0], "--cpu"]

import comfy.options  # noqa: E402

comfy.options.enable_args_parsing()

import comfy.clip_model  # noqa: E402
import comfy.ops  # noqa: E402
import comfy.taesd.taesd  # noqa: E402
import torch  # noqa: E402
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

CLIP_L = {
    "num_hidden_layers": 12,
    "hidden_size": 768,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "quick_gelu",
    "eos_token_id": 49407,
    "max_position_embeddings": 77,
    "vocab_size": 49408,
}

torch.manual_seed(0)
unet = UNetModel(
    image_size=32,
    in_channels=4,
    out_channels=4,
    model_channels=320,
    num_res_blocks=[1],
    channel_mult=[1],
    transformer_depth=[1],
    transformer_depth_output=[1, 1],
    transformer_depth_middle=1,
    context_dim=768,
    num_heads=8,
    use_spatial_transformer=True,
    legacy=False,
)
clip = comfy.clip_model.CLIPTextModel(CLIP_L, torch.float16, "cpu", comfy.ops.manual_cast)
vae = comfy.taesd.taesd.TAESD()

weights = {}
for prefix, part in (
    ("model.diffusion_model.", unet),
    ("cond_stage_model.transformer.", clip),
    ("first_stage_model.", vae),
):
    for name, tensor in part.state_dict().items():
        if name.endswith(("norm1.weight", "norm2.weight", "norm3.weight", "layer_norm.weight")):
            value = torch.ones(tensor.shape)
        else:
            value = torch.randn(tensor.shape) * 0.02
        weights[prefix + name] = value.half().contiguous()
target.parent.mkdir(parents=True, exist_ok=True)
save_file(weights, target)
