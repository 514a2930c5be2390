"""What llama.cpp's plain Q4_0 rounding makes of a matrix."""

from __future__ import annotations

import torch


def plain_q4_0(weight: torch.Tensor) -> torch.Tensor:
    import gguf

    kind = gguf.GGMLQuantizationType.Q4_0
    return torch.from_numpy(gguf.dequantize(gguf.quantize(weight.numpy(), kind), kind))
