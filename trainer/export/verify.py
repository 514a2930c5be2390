"""`posi export --verify`: does llama.cpp say what transformers says with the same weights?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .export import Exporter, ExportRequest, Progress
from .greedy import greedy_llama_cpp, greedy_transformers, would_say

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
        ours = greedy_llama_cpp(exporter.unquantised, prompts, threads=request.threads)
        progress("asking transformers in float32")
        model, tokenizer, template = exporter.merged.model, exporter.merged.tokenizer, exporter.template
        unequal = [
            (prompt, text)
            for prompt, text, answer in zip(prompts, ours.texts, ours.answers, strict=True)
            if not would_say(model, template.prompt_ids(tokenizer, prompt), answer)
        ]
        theirs = greedy_transformers(model, tokenizer, template, [prompt for prompt, _text in unequal]).texts
    differing = tuple((*pair, other) for pair, other in zip(unequal, theirs, strict=True))
    return Verification(len(prompts), len(prompts) - len(differing), differing)
