"""bfloat16 where the machine computes in it, float32 elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

_NATIVE = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""Names of the instructions in `torch.cpu.get_capabilities` (x86, then ARM)."""


def native_dtype() -> torch.dtype:
    """What to train in: bfloat16 halves time and memory, but a CPU that has to emulate it is forty times slower.

    A PyTorch too old to tell what its CPU can do counts as one that cannot.
    """
    on_gpu = torch.cuda.is_available()
    native = torch.cuda.is_bf16_supported(including_emulation=False) if on_gpu else _cpu_is_native()
    return torch.bfloat16 if native else torch.float32


def autocast(*, enabled: bool = True) -> torch.autocast:
    """Matrix products on the CPU in bfloat16, unless it would emulate them or they are not `enabled`."""
    return torch.autocast("cpu", torch.bfloat16, enabled=enabled and _cpu_is_native())


def _cpu_is_native() -> bool:
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in _NATIVE)
