"""`posi eval obfuscation`: does the gate see a risky prompt that was written to hide from it?"""

from __future__ import annotations

from .run import ObfuscationReport, evaluate_obfuscation

__all__ = ["ObfuscationReport", "evaluate_obfuscation"]
