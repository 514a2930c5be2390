"""The `posi` command. Nothing here decides anything: it reads input, calls the core, and shows the Verdict."""

from __future__ import annotations

from .app import app, main

__all__ = ["app", "main"]
