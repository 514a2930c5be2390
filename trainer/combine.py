"""Several LoRA adapters as a single one over the same base: stacked, or one carried on beyond where it went."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..posi_core.errors import UsageError

if TYPE_CHECKING:
    import torch

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def combine_adapters(first: Path, second: Path, out: Path) -> Path:
    """Write the adapter whose update is the sum of both, `second` having been trained on top of `first`.

    Exact up to bfloat16. Returns `out`; raises as `weighted_sum`.
    """
    return weighted_sum([(first, 1.0), (second, 1.0)], out)


def parse_part(text: str) -> tuple[Path, float]:
    """DIR or DIR=WEIGHT, as the command line takes them. Raises UsageError for a weight that is no number."""
    folder, equals, weight = text.rpartition("=")
    if not equals:
        return Path(text), 1.0
    try:
        return Path(folder), float(weight)
    except ValueError:
        raise UsageError(f"{text!r} has the weight {weight!r}: give a number, such as {folder}=0.5") from None


def extrapolate(start: Path, end: Path, by: float, out: Path, *, rank: int | None = None) -> Path:
    """Write `end + by * (end - start)`, all of them adapters of the same base, cut to `rank`.

    Model extrapolation (ExPO, Zheng et al. 2024, arXiv 2404.16792): what training changed between two models is
    carried on in the same direction. Here it moves greedy answers where training moved the samples alone, since an
    edit that is likelier than before may still be less likely than copying. Returns `out`; raises as `weighted_sum`.
    """
    return weighted_sum([(end, 1.0 + by), (start, -by)], out, rank=rank)


def weighted_sum(parts: Sequence[tuple[Path, float]], out: Path, *, rank: int | None = None) -> Path:
    """Write the adapter whose update is the sum of w s B A over `parts`: [w1 s1 B1, w2 s2 B2, …] [A1; A2; …].

    s = alpha / rank of each part. The result's rank is the sum of theirs, or `rank`: then the update of each layer
    is replaced by the nearest of that rank (singular value decomposition). Its alpha equals its rank; it holds every
    layer that any part adapts. Returns `out`. Raises UsageError for a folder without an adapter, or adapters of
    variants that do not add up like this (DoRA, rsLoRA, trained biases).
    """
    import torch
    from safetensors.torch import load_file, save_file

    settings = [_settings(folder) for folder, _ in parts]
    states = [load_file(folder / _WEIGHTS) for folder, _ in parts]
    layers = sorted({name.rsplit(".lora_", 1)[0] for state in states for name in state})
    combined: dict[str, Any] = {}
    for layer in layers:
        downs, ups = [], []
        known = next(state for state in states if f"{layer}.lora_A.weight" in state)
        inputs = known[f"{layer}.lora_A.weight"].shape[1]
        outputs = known[f"{layer}.lora_B.weight"].shape[0]
        for (_, weight), setting, state in zip(parts, settings, states, strict=True):
            if f"{layer}.lora_A.weight" in state:
                scale = weight * setting["lora_alpha"] / setting["r"]
                downs.append(state[f"{layer}.lora_A.weight"].float())
                ups.append(scale * state[f"{layer}.lora_B.weight"].float())
            else:
                downs.append(torch.zeros(setting["r"], inputs))
                ups.append(torch.zeros(outputs, setting["r"]))
        down, up = torch.cat(downs), torch.cat(ups, dim=1)
        if rank is not None:
            down, up = _cut(down, up, rank)
        combined[f"{layer}.lora_A.weight"] = down.to(torch.bfloat16).contiguous()
        combined[f"{layer}.lora_B.weight"] = up.to(torch.bfloat16).contiguous()
    made_rank = rank if rank is not None else sum(setting["r"] for setting in settings)
    targets = sorted({target for setting in settings for target in setting["target_modules"]})
    out.mkdir(parents=True, exist_ok=True)
    save_file(combined, out / _WEIGHTS, metadata={"format": "pt"})
    made = {**settings[0], "r": made_rank, "lora_alpha": made_rank, "target_modules": targets}
    (out / _CONFIG).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return out


def _cut(down: torch.Tensor, up: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Factors [rank, inputs] and [outputs, rank] of the matrix of that rank nearest to `up @ down`.

    Padded with zeros where the matrix has less. Singular values are shared out evenly, so that neither factor is
    rounded more coarsely than the other.
    """
    import torch

    left, left_small = torch.linalg.qr(up)
    right, right_small = torch.linalg.qr(down.T)
    u, values, v = torch.linalg.svd(left_small @ right_small.T)
    kept = min(rank, len(values))
    roots = values[:kept].sqrt()
    new_up = torch.zeros(up.shape[0], rank)
    new_down = torch.zeros(rank, down.shape[1])
    new_up[:, :kept] = (left @ u[:, :kept]) * roots
    new_down[:kept] = roots[:, None] * (v[:kept] @ right.T)
    return new_down, new_up


def _settings(folder: Path) -> dict[str, Any]:
    try:
        settings: dict[str, Any] = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"no adapter in {folder} ({error}): give the folder that a training wrote") from None
    if settings.get("use_dora") or settings.get("use_rslora") or settings.get("bias", "none") != "none":
        raise UsageError(f"the adapter in {folder} is not a plain LoRA: only plain ones can be combined")
    return settings
