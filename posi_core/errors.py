"""Errors that POSI raises on purpose. Every message is one line: what failed, the value, what to do."""

from __future__ import annotations


class PosiError(Exception):
    """Base of every error that POSI raises on purpose; hosts show its text to the user as it stands."""


class UsageError(PosiError):
    """The caller passed something that cannot be used (exit code 2 on the command line)."""


class PolicyError(UsageError):
    """A policy file or value is wrong; the text names the key and the allowed range."""


class ModelFileError(PosiError):
    """A model file is missing, truncated, of another architecture, or fails its checksum."""


class EngineError(PosiError):
    """The engine could not answer: it died, does not start, or the server refused."""


class DeadlineError(EngineError):
    """The time allowed for a request passed before the answer was complete."""


class CancelledError(EngineError):
    """The caller cancelled the request."""


class ScorerError(PosiError):
    """Risk or similarity could not be computed, so nothing can be called safe."""


class BlockedError(PosiError):
    """A prompt was blocked and the policy asks for an exception rather than a replacement text."""
