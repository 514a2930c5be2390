"""`posi export --verify`: does llama.cpp say what transformers says with the same weights?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .export import Exporter, ExportRequest, Progress
from .greedy import greedy_llama_cpp, greedy_transformers

REQUIRED_EQUAL = 0.95


@dataclass(frozen=True)
class Verification:
    """Greedy output of the unquantised GGUF against the merged float32 model. `differing`: (prompt, ours, theirs)."""

    prompts: int
    equal: int
    differing: tuple[tuple[str, str, str], ...]

    @property
    def passed(self) -> bool:
        return self.equal >= REQUIRED_EQUAL * self.prompts


def verify(request: ExportRequest, prompts: Sequence[str], progress: Progress) -> Verification:
    """Merge, write the unquantised GGUF into a scratch folder and compare; nothing is left behind."""
    with Exporter(request, progress) as exporter:
        progress("rewriting with llama.cpp")
        ours = greedy_llama_cpp(exporter.unquantised, prompts, threads=request.threads).texts
        progress("rewriting with transformers in float32")
        merged = exporter.merged
        theirs = greedy_transformers(merged.model, merged.tokenizer, exporter.template, prompts).texts
    differing = tuple(
        (prompt, one, other) for prompt, one, other in zip(prompts, ours, theirs, strict=True) if one != other
    )
    return Verification(len(prompts), len(prompts) - len(differing), differing)
