"""Which number format training takes on which machine."""

from __future__ import annotations

import pytest
import torch
from posi.trainer.precision import autocast, native_dtype


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """What the CPU of a machine without a GPU can do, to be filled in."""
    found: dict[str, bool] = {"avx2": True, "avx512_bf16": False, "amx_bf16": False}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    return found


@pytest.mark.parametrize("instructions", ["avx512_bf16", "amx_bf16", "bf16", "sve_bf16"])
def test_bfloat16_only_where_the_cpu_has_instructions_for_it(cpu: dict[str, bool], instructions: str) -> None:
    product = torch.ones(2, 2)
    assert native_dtype() == torch.float32
    with autocast():
        assert (product @ product).dtype == torch.float32
    cpu[instructions] = True
    assert native_dtype() == torch.bfloat16
    with autocast():
        assert (product @ product).dtype == torch.bfloat16
    with autocast(enabled=False):
        assert (product @ product).dtype == torch.float32


def test_a_torch_that_cannot_tell_counts_as_one_that_cannot(
    cpu: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu["avx512_bf16"] = True
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert native_dtype() == torch.float32


@pytest.mark.parametrize(("native", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_gpu_decides_where_there_is_one(
    cpu: dict[str, bool], monkeypatch: pytest.MonkeyPatch, native: bool, dtype: torch.dtype
) -> None:
    cpu["avx512_bf16"] = not native
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native)
    assert native_dtype() == dtype
    with autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype != dtype, "what runs on the CPU asks the CPU"
