"""From a plain prompt to candidate rewrites: template, splitting, decoding, cleaning."""

from __future__ import annotations

from .rewriter import Rewriter

__all__ = ["Rewriter"]
