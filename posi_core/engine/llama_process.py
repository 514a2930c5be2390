"""llama.cpp in a worker process: a crash in native code costs one request, and unloading gives all memory back."""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..errors import CancelledError, DeadlineError, EngineError, ModelFileError
from . import settings
from .protocol import PREFIX_KEY, Completion, EngineStatus, GenerateRequest, PromptTemplate
from .worker_link import WORKER_FILE, Events, Worker

SEQUENCES = 8
_POLL = 0.02  # seconds between two looks at `cancelled`
_OBEDIENCE = 5.0  # seconds a worker has to notice a cancellation before it is replaced

Cancelled = Callable[[], bool] | None


class LlamaCppEngine:
    """A GGUF model behind the Engine protocol. Nothing is started before the first request.

    `threads` and `gpu_layers` None: as many threads as fit the machine; all layers on the GPU if llama.cpp was
    built for one. `context` tokens hold the prompt and all its candidates. After `idle_unload_seconds` without a
    request the worker ends (0: never). `flash_attention` off is for comparisons: batches then round otherwise than
    single tokens. Raises ModelFileError if there is no GGUF file at `model_path`.
    """

    def __init__(
        self,
        model_path: Path | str,
        *,
        threads: int | None = None,
        gpu_layers: int | None = None,
        context: int = 2048,
        idle_unload_seconds: float = 300,
        flash_attention: bool = True,
        worker_file: Path = WORKER_FILE,
    ) -> None:
        self.path = Path(model_path).expanduser().resolve()
        _check_file(self.path)
        self.threads = threads or settings.default_threads()
        self._options = {
            "path": str(self.path),
            "threads": self.threads,
            "gpu_layers": gpu_layers,
            "context": context,
            "sequences": SEQUENCES,
            "flash_attention": flash_attention,
        }
        self._idle_seconds = idle_unload_seconds
        self._worker_file = worker_file
        self._turn = threading.Lock()  # held by the request that runs
        self._worker: Worker | None = None
        self._loading: tuple[int, Events] | None = None  # the load request of a worker that is not ready yet
        self._disobedient: tuple[int, Events, float] | None = None  # cancelled, but not yet answered
        self._safe = False
        self._loaded: dict[str, Any] = {}
        self._template: PromptTemplate | None = None
        self._idle: threading.Timer | None = None
        self._closed = False
        self._starts = 0
        self._last_error = ""

    @property
    def identity(self) -> str:
        """File name and the first digits of its SHA-256 (computed once a file)."""
        from ..models.files import checksum

        return f"{self.path.stem}@{checksum(self.path)[:12]}"

    @property
    def template(self) -> PromptTemplate:
        if self._template is None:
            with self._my_turn(None, None):
                self._ready(None, None)
        assert self._template is not None
        return self._template

    @property
    def can_avoid(self) -> bool:
        return True

    def generate(
        self,
        request: GenerateRequest,
        *,
        deadline: float | None = None,
        cancelled: Cancelled = None,
        on_token: Callable[[int], None] | None = None,
    ) -> list[Completion]:
        """See Engine.generate. Requests of several threads run one after the other."""
        with self._my_turn(deadline, cancelled):
            try:
                worker = self._ready(deadline, cancelled)
                return self._run(worker, request, deadline, cancelled, on_token)
            except (EngineError, ModelFileError) as error:
                if not isinstance(error, (DeadlineError, CancelledError)):
                    self._last_error = str(error)
                raise

    def unload(self) -> None:
        """End the worker once no request runs; the next request starts another."""
        with self._turn:
            self._stop()

    def close(self) -> None:
        """End the worker now, the request it runs included, and take no more requests."""
        self._closed = True
        worker = self._worker
        if worker is not None:
            worker.stop()
        self.unload()

    def health(self) -> EngineStatus:
        worker = self._worker
        memory: dict[str, Any] = {}
        if worker is not None and worker.alive:
            number, events = worker.request("health")
            with contextlib.suppress(queue.Empty):
                memory = events.get(timeout=0.5)
            worker.done(number)
        return EngineStatus(
            kind="llama.cpp",
            identity=self.identity,
            loaded=worker is not None and worker.alive and self._loading is None,
            busy=self._turn.locked(),
            pid=worker.process.pid if worker is not None and worker.alive else None,
            threads=self.threads,
            gpu_layers=self._loaded.get("gpu_layers"),
            safe_setting=self._safe,
            memory=memory.get("memory"),
            peak_memory=memory.get("peak_memory"),
            starts=self._starts,
            last_error=self._last_error,
        )

    @contextlib.contextmanager
    def _my_turn(self, deadline: float | None, cancelled: Cancelled) -> Iterator[None]:
        while not self._turn.acquire(timeout=_wait(deadline, cancelled)):
            _check(deadline, cancelled)
        try:
            _check(deadline, cancelled)
            if self._closed:
                raise EngineError("The engine was closed.")
            if self._idle is not None:
                self._idle.cancel()
            yield
        finally:
            self._turn.release()
            self._watch_idleness()

    def _watch_idleness(self) -> None:
        if self._idle_seconds <= 0 or self._worker is None:
            return
        self._idle = threading.Timer(self._idle_seconds, self._unload_idle)
        self._idle.daemon = True
        self._idle.start()

    def _unload_idle(self) -> None:
        if self._turn.acquire(blocking=False):  # else it is not idle
            try:
                if self._idle is threading.current_thread():
                    self._stop()
            finally:
                self._turn.release()

    def _ready(self, deadline: float | None, cancelled: Cancelled) -> Worker:
        """A worker with the model loaded. A deadline that passes meanwhile lets the loading go on."""
        self._settle()
        if self._worker is not None and not self._worker.alive and self._loading is None:
            self._stop()  # died between two requests
        if self._worker is None:
            _check_file(self.path)
            self._safe = self._safe or settings.needs_safe_setting()
            self._start()
        while self._loading is not None:
            worker, (number, events) = self._worker, self._loading
            assert worker is not None
            event = _next(events, deadline, cancelled)
            if event["event"] == "loaded":
                self._loaded = event
                try:
                    self._template = _template(event["template"], self.path)
                except ModelFileError:
                    self._stop()
                    raise
            elif event["event"] == "ready":
                self._loading = None
                worker.done(number)
                if self._safe:
                    settings.remember_safe_setting()
            else:
                self._start_failed(worker, event)
        assert self._worker is not None
        return self._worker

    def _start(self) -> None:
        self._starts += 1
        self._worker = Worker(self._worker_file)
        self._loading = self._worker.request(
            "load", options={**self._options, "extra_buffers": not self._safe}
        )

    def _start_failed(self, worker: Worker, event: dict[str, Any]) -> None:
        """Start again with the safe setting after a crash; else raise what went wrong."""
        words = worker.last_words()
        crashed, ending = worker.crashed, worker.ending()
        self._stop()
        if event["event"] == "died":
            if crashed and not self._safe:
                self._safe = True
                self._start()
                return
            raise EngineError(
                f"The engine's worker {ending} while it loaded {self.path.name}: {words or '…'}"
            )
        if event["kind"] == "model":
            raise ModelFileError(
                f"{self.path} cannot be loaded ({words or event['message']}): truncated, damaged or of an "
                "architecture this llama.cpp does not know; fetch or export it again"
            )
        raise EngineError(event["message"])

    def _run(
        self,
        worker: Worker,
        request: GenerateRequest,
        deadline: float | None,
        cancelled: Cancelled,
        on_token: Callable[[int], None] | None,
    ) -> list[Completion]:
        number, events = worker.request(
            "generate",
            **dataclasses.asdict(request),
            budget=None if deadline is None else max(deadline - time.monotonic(), 0.0),
            progress=on_token is not None,
        )
        try:
            event = _next(events, deadline, cancelled)
            while event["event"] == "tokens":
                if on_token is not None:
                    on_token(event["tokens"])
                event = _next(events, deadline, cancelled)
        except BaseException:  # a deadline, ctrl-C or a caller's own error: the worker must not work on
            worker.cancel(number)
            self._disobedient = (number, events, time.monotonic())
            raise
        worker.done(number)
        if event["event"] != "done":
            raise self._failure(worker, event)
        return [Completion(**{**found, "ids": tuple(found["ids"])}) for found in event["completions"]]

    def _failure(self, worker: Worker, event: dict[str, Any]) -> EngineError:
        if event["event"] == "died":
            ending, words = worker.ending(), worker.last_words()
            self._stop()
            detail = f" ({words})" if words else ""
            return EngineError(
                f"The engine's worker {ending} in the middle of a request{detail}; the next one starts another."
            )
        if event["kind"] == "deadline":
            return _past()
        return EngineError(f"The engine cannot answer: {event['message']}.")

    def _settle(self) -> None:
        """Before the next request: the last one, if it was cancelled, must have ended, or the worker is replaced."""
        if self._disobedient is None or self._worker is None:
            self._disobedient = None
            return
        number, events, since = self._disobedient
        self._disobedient = None
        while True:
            try:
                event = events.get(timeout=max(since + _OBEDIENCE - time.monotonic(), 0.01))
            except queue.Empty:
                self._stop()
                return
            if event["event"] in ("done", "error", "died"):
                self._worker.done(number)
                return

    def _stop(self) -> None:
        worker, self._worker = self._worker, None
        self._loading = self._disobedient = None
        if worker is not None:
            worker.stop()


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror or error}): check the path") from error
    if magic != b"GGUF":
        raise ModelFileError(f"{path} is no GGUF file: fetch it again, or export one with `posi export`")


def _template(found: dict[str, str | None], path: Path) -> PromptTemplate:
    prefix, suffix, stop = found["prefix"], found["suffix"], found["stop"]
    if prefix is None or suffix is None or not stop:
        raise ModelFileError(
            f"{path} has no {PREFIX_KEY} and so is no rewriter: export one with `posi export`"
        )
    return PromptTemplate(prefix, suffix, (stop,), found["training_commit"] or "")


def _next(events: Events, deadline: float | None, cancelled: Cancelled) -> dict[str, Any]:
    while True:
        # Asked before each event too: a fast model's tokens come quicker than the wait for one runs out.
        _check(deadline, cancelled)
        with contextlib.suppress(queue.Empty):
            return events.get(timeout=_wait(deadline, cancelled))


def _wait(deadline: float | None, cancelled: Cancelled) -> float:
    """Seconds until somebody must be asked again."""
    longest = _POLL if cancelled is not None else 1.0
    return longest if deadline is None else min(longest, max(deadline - time.monotonic(), 0.001))


def _check(deadline: float | None, cancelled: Cancelled) -> None:
    if cancelled is not None and cancelled():
        raise CancelledError("The request was cancelled.")
    if deadline is not None and time.monotonic() >= deadline:
        raise _past()


def _past() -> DeadlineError:
    return DeadlineError("The time allowed passed before the rewrite was complete.")
