"""The models a prompter works with, loaded when first needed and shared between prompters."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from ..engine import Engine
    from ..rewriter import Rewriter
    from ..risk import Scorer
    from ..similarity import Encoder

T = TypeVar("T")


@dataclass(frozen=True)
class ModelChoice:
    """Which rewriter runs, and how. All left out: the shipped GGUF with sensible settings.

    `path`: a GGUF file. `base_url` and `remote_model`: an OpenAI-compatible server instead. `threads` and
    `gpu_layers`: None lets the engine choose. `idle_unload_seconds`: free the memory after so long unused.
    """

    path: Path | None = None
    threads: int | None = None
    gpu_layers: int | None = None
    idle_unload_seconds: float = 300
    base_url: str = ""
    remote_model: str = ""


class Parts:
    """Scorer, encoder and rewriter of one model choice. Thread-safe; nothing is loaded before it is asked for.

    A part that fails to load raises its error each time it is asked for, so a file put in place later is found.
    """

    def __init__(
        self,
        model: ModelChoice | Path | str | None = None,
        *,
        engine: Engine | None = None,
        scorer: Scorer | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        self.model = (
            model if isinstance(model, ModelChoice) else ModelChoice(path=Path(model) if model else None)
        )
        self._engine = engine
        self._scorer = scorer
        self._encoder = encoder
        self._rewriter: Rewriter | None = None
        self._lock = threading.RLock()

    def scorer(self) -> Scorer:
        return self._loaded("_scorer", _default_scorer)

    def encoder(self) -> Encoder:
        return self._loaded("_encoder", _default_encoder)

    def engine(self) -> Engine:
        return self._loaded("_engine", lambda: open_engine(self.model))

    def rewriter(self) -> Rewriter:
        return self._loaded("_rewriter", self._new_rewriter)

    def load(self) -> None:
        """Load everything now, the worker process included."""
        self.scorer().score(["a house by the sea"])
        self.encoder().similarity("a house", ["a house"])
        self.rewriter().rewrite("a house by the sea")

    def sharing_judges(self, model: ModelChoice) -> Parts:
        """Parts for another model that use this one's scorer and encoder (loaded once for both)."""
        return _Sharing(model, self)

    def started(self) -> Engine | None:
        """The engine if one was made, without making one."""
        return self._engine

    def unload(self) -> None:
        """Free the engine's memory (worker, VRAM); the next rewrite loads it again."""
        if self._engine is not None:
            self._engine.unload()

    def close(self) -> None:
        """Stop the worker for good and drop every model."""
        with self._lock:
            engine, self._engine, self._rewriter = self._engine, None, None
            self._scorer = self._encoder = None
        if engine is not None:
            engine.close()

    def _new_rewriter(self) -> Rewriter:
        from ..rewriter import Rewriter

        return Rewriter(self.engine())

    def _loaded(self, name: str, load: Callable[[], T]) -> T:
        found: T | None = getattr(self, name)
        if found is None:
            with self._lock:
                found = getattr(self, name)
                if found is None:
                    found = load()
                    setattr(self, name, found)
        return found


class _Sharing(Parts):
    def __init__(self, model: ModelChoice, judges: Parts) -> None:
        super().__init__(model)
        self._judges = judges

    def scorer(self) -> Scorer:
        return self._judges.scorer()

    def encoder(self) -> Encoder:
        return self._judges.encoder()


def open_engine(model: ModelChoice) -> Engine:
    """The engine a choice names; EngineError or ModelFileError when it cannot be opened."""
    if model.base_url:
        from ..engine import OpenAIEngine

        return OpenAIEngine(model.base_url, model.remote_model)
    from ..engine import LlamaCppEngine
    from ..models import find

    return LlamaCppEngine(
        find("rewriter", model.path),
        threads=model.threads,
        gpu_layers=model.gpu_layers,
        idle_unload_seconds=model.idle_unload_seconds,
    )


def _default_scorer() -> Scorer:
    from ..risk import load_scorer

    return load_scorer()


def _default_encoder() -> Encoder:
    from ..similarity import load_encoder

    return load_encoder()
