"""What is compared: each rewriter bare (one greedy rewrite, nothing else) and inside the pipeline by policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ....posi_core.errors import UsageError
from ....posi_core.safe_prompt import ModelChoice, Parts, SafePrompter

BARE = "bare"


@dataclass(frozen=True)
class System:
    """One column of the comparison. `policy` is "bare", a preset or the path of a policy file."""

    name: str
    model: Path | None
    policy: str

    @property
    def bare(self) -> bool:
        return self.policy == BARE


def systems_for(models: Sequence[str], policies: Sequence[str], *, bare: bool = True) -> list[System]:
    """Systems from `NAME=FILE` models (none: the shipped one) and policies."""
    named: list[tuple[str, Path | None]] = [_named(model) for model in models] or [("POSI", None)]
    if len({name for name, _ in named}) < len(named):
        raise UsageError("Two models have the same name: write NAME=FILE with a name of its own for each.")
    kinds = [*([BARE] if bare else []), *policies]
    if not kinds:
        raise UsageError("Nothing to compare: name a policy or leave the bare rewriter in.")
    return [System(f"{name} {Path(kind).stem}", path, kind) for name, path in named for kind in kinds]


class Prompters:
    """One prompter a system, one engine a model, closed together. No cache: every figure is measured."""

    def __init__(self, parts: Parts | None = None, *, threads: int | None = None) -> None:
        self._threads = threads
        self.parts = parts or Parts(ModelChoice(threads=threads))
        self._by_model: dict[Path | None, Parts] = {None: self.parts}

    def of(self, system: System) -> SafePrompter:
        parts = self._by_model.get(system.model)
        if parts is None:
            parts = self.parts.sharing_judges(ModelChoice(path=system.model, threads=self._threads))
            self._by_model[system.model] = parts
        return SafePrompter("standard" if system.bare else system.policy, parts=parts, cache=False)

    def close(self) -> None:
        for parts in self._by_model.values():
            parts.close()


def _named(model: str) -> tuple[str, Path | None]:
    name, equals, file = model.partition("=")
    path = Path(file if equals else name)
    if not path.is_file():
        raise UsageError(f"There is no model file {path}: write NAME=FILE, FILE a GGUF.")
    return (name if equals else path.stem), path
