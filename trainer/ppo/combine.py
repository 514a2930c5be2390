"""Two LoRA adapters, one trained on top of the other, as a single adapter over the base."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...posi_core.errors import UsageError

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def combine_adapters(first: Path, second: Path, out: Path) -> Path:
    """Write the adapter whose update is the sum of both: s1 B1 A1 + s2 B2 A2 = [s1 B1, s2 B2] [A1; A2].

    s = alpha / rank. The result has rank r1 + r2 and alpha equal to it, holds every layer that either adapts (the
    other's part is zero there), and is exact up to bfloat16. Returns `out`. Raises UsageError for a folder without
    an adapter, or adapters of variants that do not add up like this (DoRA, rsLoRA, trained biases).
    """
    import torch
    from safetensors.torch import load_file, save_file

    settings = [_settings(first), _settings(second)]
    states = [load_file(folder / _WEIGHTS) for folder in (first, second)]
    layers = sorted({name.rsplit(".lora_", 1)[0] for state in states for name in state})
    rank = sum(setting["r"] for setting in settings)
    combined: dict[str, Any] = {}
    for layer in layers:
        downs, ups = [], []
        known = next(state for state in states if f"{layer}.lora_A.weight" in state)
        inputs = known[f"{layer}.lora_A.weight"].shape[1]
        outputs = known[f"{layer}.lora_B.weight"].shape[0]
        for setting, state in zip(settings, states, strict=True):
            if f"{layer}.lora_A.weight" in state:
                scale = setting["lora_alpha"] / setting["r"]
                downs.append(state[f"{layer}.lora_A.weight"].float())
                ups.append(scale * state[f"{layer}.lora_B.weight"].float())
            else:
                downs.append(torch.zeros(setting["r"], inputs))
                ups.append(torch.zeros(outputs, setting["r"]))
        combined[f"{layer}.lora_A.weight"] = torch.cat(downs).to(torch.bfloat16).contiguous()
        combined[f"{layer}.lora_B.weight"] = torch.cat(ups, dim=1).to(torch.bfloat16).contiguous()
    targets = sorted({target for setting in settings for target in setting["target_modules"]})
    out.mkdir(parents=True, exist_ok=True)
    save_file(combined, out / _WEIGHTS, metadata={"format": "pt"})
    made = {**settings[0], "r": rank, "lora_alpha": rank, "target_modules": targets}
    (out / _CONFIG).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return out


def _settings(folder: Path) -> dict[str, Any]:
    try:
        settings: dict[str, Any] = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"no adapter in {folder} ({error}): give the folder that a training wrote") from None
    if settings.get("use_dora") or settings.get("use_rslora") or settings.get("bias", "none") != "none":
        raise UsageError(f"the adapter in {folder} is not a plain LoRA: only plain ones can be combined")
    return settings
