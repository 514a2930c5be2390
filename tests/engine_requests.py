"""Requests for the tiny GGUF models."""

from __future__ import annotations

from typing import Any

from posi.posi_core.engine import GenerateRequest
from tiny_gguf import PREFIX, STOP, SUFFIX

PROMPT = "the old house by the sea and a red cat on the mat in the house with a dog"


def request(user: str = PROMPT, **fields: Any) -> GenerateRequest:
    """A request with the tiny models' template."""
    return GenerateRequest(PREFIX, user, SUFFIX, (STOP,), **fields)
