"""`posi export --compare`: candidate types in size, speed and closeness to the unquantised model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from ...posi_core.similarity import Encoder
from .export import Exporter, ExportRequest, Progress
from .greedy import greedy_llama_cpp


@dataclass(frozen=True)
class Candidate:
    """One type. `cosine`: mean MiniLM cosine of its rewrites to the unquantised ones; `equal`: share of same texts.

    `tokens_per_second` is plain greedy decoding, prompts included, one prompt at a time.
    """

    name: str
    megabytes: float
    tokens_per_second: float
    cosine: float
    equal: float


def compare(
    request: ExportRequest,
    prompts: Sequence[str],
    names: Sequence[str],
    encoder: Encoder,
    progress: Progress,
) -> list[Candidate]:
    """Export every named type into a scratch folder, rewrite `prompts` with it, and compare with float32."""
    found: list[Candidate] = []
    with Exporter(request, progress) as exporter:
        progress("rewriting with the unquantised model")
        reference = greedy_llama_cpp(exporter.unquantised, prompts, threads=request.threads).texts
        for name in names:
            path = exporter.unquantised.with_name(f"{name}.gguf")
            exporter.write(name, path)
            made = greedy_llama_cpp(path, prompts, threads=request.threads)
            pairs = list(zip(reference, made.texts, strict=True))
            found.append(
                Candidate(
                    name,
                    path.stat().st_size / 1e6,
                    made.tokens / made.seconds,
                    mean(encoder.similarity(one, [other])[0] for one, other in pairs),
                    mean(one == other for one, other in pairs),
                )
            )
            path.unlink()
    return found
