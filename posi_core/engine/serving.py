"""The worker's loop: one request after the other, while a second thread listens for cancellation and hang-up.

Lines in: {"op": "load" | "generate" | "cancel" | "health" | "exit", "id": int, ...}. Lines out: {"id", "event"}
with event "loaded", "ready", "tokens", "done", "health" or "error" (with kind and message).
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import time
from typing import Any

from .decoding import Decoder, RequestError, Stopped
from .llama import LlamaModel, LoadError, LoadOptions

TEMPLATE_KEYS = {
    "prefix": "posi.template.prefix",
    "suffix": "posi.template.suffix",
    "stop": "posi.template.stop",
    "training_commit": "posi.training_commit",
}


def serve(output: int) -> None:
    """Answer until standard input ends. `output`: file descriptor of the answers."""
    Server(output).run()


class Server:
    """State of the worker: a decoder once a model is loaded, and the requests that were cancelled."""

    def __init__(self, output: int) -> None:
        self._output = output
        self._writing = threading.Lock()
        self._requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._decoder: Decoder | None = None

    def run(self) -> None:
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        while True:
            request = self._requests.get()
            try:
                self._answer(request)
            except Stopped as stopped:
                self._fail(request, stopped.kind, "")
            except LoadError as error:
                self._fail(request, "model", str(error))
            except (RequestError, ValueError, KeyError, TypeError) as error:
                self._fail(request, "request", str(error) or repr(error))
            except ImportError as error:
                self._fail(request, "engine", f"llama-cpp-python cannot be imported: {error}")
            except Exception as error:
                self._fail(request, "engine", f"{type(error).__name__}: {error}")
            self._cancelled.discard(request["id"])

    def _listen(self) -> None:
        """Cancellation and health are answered while a request runs; the end of input ends the process at once.

        The host closes its end when it stops, and so does the system when the host dies: no orphan is left.
        """
        with contextlib.suppress(Exception):
            for line in sys.stdin.buffer:
                request = json.loads(line)
                if request["op"] == "cancel":
                    self._cancelled.add(request["id"])
                elif request["op"] == "health":
                    self._send({"id": request["id"], "event": "health", **memory()})
                elif request["op"] == "exit":
                    break
                else:
                    self._requests.put(request)
        os._exit(0)

    def _answer(self, request: dict[str, Any]) -> None:
        if request["op"] == "load":
            self._load(request)
        elif request["op"] == "generate":
            self._generate(request)
        else:
            raise RequestError(f"unknown op {request['op']!r}")

    def _load(self, request: dict[str, Any]) -> None:
        options = LoadOptions(**request["options"])
        model = LlamaModel(options)
        self._send(
            {
                "id": request["id"],
                "event": "loaded",
                "template": {name: model.metadata(key) for name, key in TEMPLATE_KEYS.items()},
                "architecture": model.metadata("general.architecture"),
                "gpu_layers": model.gpu_layers,
            }
        )
        decoder = Decoder(model, options.context, options.sequences)
        decoder.warm_up()
        self._decoder = decoder
        self._send({"id": request["id"], "event": "ready"})

    def _generate(self, request: dict[str, Any]) -> None:
        if self._decoder is None:
            raise RequestError("no model is loaded")
        number = request["id"]
        budget = request["budget"]
        end = None if budget is None else time.monotonic() + budget

        def check() -> None:
            if number in self._cancelled:
                raise Stopped("cancelled")
            if end is not None and time.monotonic() >= end:
                raise Stopped("deadline")

        def progress(tokens: int) -> None:
            if request["progress"]:
                self._send({"id": number, "event": "tokens", "tokens": tokens})

        completions = self._decoder.generate(request, check, progress)
        self._send({"id": number, "event": "done", "completions": completions})

    def _fail(self, request: dict[str, Any], kind: str, message: str) -> None:
        self._send({"id": request["id"], "event": "error", "kind": kind, "message": message})

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        with self._writing, contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._output, data) :]


def memory() -> dict[str, int | None]:
    """Resident memory of this process now and at its peak, in bytes; None where the system does not say."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            values = dict(line.split(":", 1) for line in status if line.startswith(("VmRSS", "VmHWM")))
        return {
            "memory": int(values["VmRSS"].split()[0]) * 1024,
            "peak_memory": int(values["VmHWM"].split()[0]) * 1024,
        }
    except (OSError, KeyError, ValueError):
        return {"memory": None, "peak_memory": _peak()}


def _peak() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
