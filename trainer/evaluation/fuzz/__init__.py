"""`posi eval fuzz`: fuzzed and mutated prompts through the whole pipeline, with a rewriter that wants to fail it."""

from __future__ import annotations

from .run import FuzzReport, fuzz

__all__ = ["FuzzReport", "fuzz"]
