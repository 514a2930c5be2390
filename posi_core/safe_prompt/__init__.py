"""Gate, rewrite, verify, retry, block: the one place where syntax, risk, rewriter and policy meet."""

from __future__ import annotations

from .parts import ModelChoice, Parts
from .prompter import SafePrompter, verdict_or_raise

__all__ = ["ModelChoice", "Parts", "SafePrompter", "verdict_or_raise"]
