"""What a PPO run needs to go on as if it had never stopped, written so that a kill leaves the last one whole."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from ...posi_core.errors import PosiError
from .formulas import AdaptiveKL
from .policy import PolicyWithValue

_KEEP = 2


def save(
    folder: Path,
    step: int,
    model: PolicyWithValue,
    optimizer: torch.optim.Optimizer,
    scheduler: Any,
    controller: AdaptiveKL,
    best: float,
    rng_states: list[torch.Tensor],
) -> None:
    """Write `folder`/step-N: adapter, value head, optimizer, schedule, KL weight and every process's generator."""
    target = folder / f"step-{step:06d}"
    scratch = folder / f".step-{step:06d}.part"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    state = {
        "step": step,
        "trainable": {name: value for name, value in model.named_parameters() if value.requires_grad},
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "kl_weight": controller.weight,
        "best": best,
        "rng_states": rng_states,
    }
    torch.save(state, scratch / "state.pt")
    shutil.rmtree(target, ignore_errors=True)
    scratch.rename(target)
    for old in sorted(folder.glob("step-*"))[:-_KEEP]:
        shutil.rmtree(old)


def generators() -> torch.Tensor:
    """The state of this process's random generators, the CPU's and on a GPU its own behind it: uint8, 1-D."""
    state = torch.get_rng_state()
    return torch.cat([state, torch.cuda.get_rng_state()]) if torch.cuda.is_available() else state


def set_generators(state: torch.Tensor) -> None:
    """Go on drawing from where `generators` was asked; a run may have moved to or from a GPU since."""
    cpu, gpu = state.split([len(torch.get_rng_state()), len(state) - len(torch.get_rng_state())])
    torch.set_rng_state(cpu.clone())
    if len(gpu) and torch.cuda.is_available():
        torch.cuda.set_rng_state(gpu.clone())


def latest(folder: Path) -> Path | None:
    """The newest whole checkpoint of a run, or None."""
    found = sorted(path for path in folder.glob("step-*") if (path / "state.pt").is_file())
    return found[-1] if found else None


def load(
    path: Path,
    model: PolicyWithValue,
    optimizer: torch.optim.Optimizer,
    scheduler: Any,
    controller: AdaptiveKL,
    process: int,
) -> tuple[int, float]:
    """Restore everything `save` wrote; returns the number of steps done and the best validation score."""
    try:
        state = torch.load(path / "state.pt", map_location="cpu", weights_only=True)
    except Exception as error:
        raise PosiError(
            f"checkpoint {path} cannot be read ({error}); delete it to go on from the one before"
        ) from error
    trainable = {name: value for name, value in model.named_parameters() if value.requires_grad}
    if trainable.keys() != state["trainable"].keys():
        raise PosiError(
            f"checkpoint {path} is of another adapter (rank or target layers); use a new run folder"
        )
    with torch.no_grad():
        for name, value in trainable.items():
            value.copy_(state["trainable"][name])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    controller.weight = state["kl_weight"]
    if process >= len(state["rng_states"]):
        raise PosiError(f"checkpoint {path} is of {len(state['rng_states'])} processes; resume with as many")
    set_generators(state["rng_states"][process])
    return int(state["step"]), float(state["best"])
