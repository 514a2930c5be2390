"""`posi eval prompts`: what the bare rewriter and the pipeline do to risky and to harmless prompts."""

from __future__ import annotations

from .run import PromptsConfig, evaluate_prompts

__all__ = ["PromptsConfig", "evaluate_prompts"]
