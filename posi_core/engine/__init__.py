"""Engines: llama.cpp in a worker process of its own, or a remote OpenAI-compatible server."""

from __future__ import annotations

from .llama_process import LlamaCppEngine
from .openai_server import OpenAIEngine
from .protocol import Completion, Engine, EngineStatus, GenerateRequest, PromptTemplate

__all__ = [
    "Completion",
    "Engine",
    "EngineStatus",
    "GenerateRequest",
    "LlamaCppEngine",
    "OpenAIEngine",
    "PromptTemplate",
]
