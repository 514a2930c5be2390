"""The adapter alone as a GGUF LoRA, for llama.cpp's `--lora` (a quarter slower than merged weights)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...posi_core.errors import ModelFileError
from .atomic import replacing
from .layout import Layout

_BEFORE = "base_model.model."


def export_adapter(
    adapter: Path, out: Path, *, architecture: str, config: Any, metadata: Mapping[str, str]
) -> None:
    """Write `blk.N.….lora_a` [rank, in] and `.lora_b` [out, rank] for every layer the adapter touches, in float16.

    `architecture` is GGUF's name ("llama"), `config` the base's transformers config. llama.cpp scales the product
    by alpha / rank itself. Raises ModelFileError when the folder holds no LoRA adapter.
    """
    import gguf
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
        state = load_file(str(adapter / "adapter_model.safetensors"))
        alpha = float(settings["lora_alpha"])
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelFileError(f"{adapter} holds no LoRA adapter: {error!r}") from error
    layout = Layout(architecture, config)
    with replacing(out) as part:
        writer = gguf.GGUFWriter(part, architecture)
        writer.add_string(gguf.Keys.General.TYPE, gguf.GGUFType.ADAPTER)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
        for key, value in metadata.items():
            writer.add_string(key, value)
        for key in sorted(state):
            module, side = key.removeprefix(_BEFORE).removesuffix(".weight").rsplit(".lora_", 1)
            name = layout.name(f"{module}.weight")
            if name is None:
                raise ModelFileError(f"{adapter}: GGUF has no tensor for {module}")
            matrix = state[key].float().numpy()
            if side == "B":
                matrix = layout.rows(f"{module}.weight")(matrix)
            writer.add_tensor(f"{name}.lora_{side.lower()}", np.ascontiguousarray(matrix).astype(np.float16))
        try:
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()
