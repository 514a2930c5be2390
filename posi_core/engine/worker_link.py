"""The host's end of a worker process: start it, send it requests, receive what it says, stop it."""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from ..errors import EngineError

WORKER_FILE = Path(__file__).with_name("worker.py")
Events = queue.SimpleQueue[dict[str, Any]]


class Worker:
    """One worker process. Every request has a queue of the events that concern it; death is an event as well."""

    def __init__(self, file: Path = WORKER_FILE) -> None:
        if not sys.executable:
            raise EngineError("This Python does not know its own executable, so no worker can be started.")
        # A session of its own: ctrl-C in a terminal reaches the host alone, which then ends the worker.
        options: dict[str, Any] = (
            {"creationflags": getattr(subprocess, "CREATE_NO_WINDOW", 0)}
            if sys.platform == "win32"
            else {"start_new_session": True}
        )
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-X", "utf8", "-u", str(file)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # Some 600 times a token the threads wait for each other, for microseconds each time. Spinning for
                # longer takes the core from whatever else is busy (an image model on the CPU), and from each
                # other; not spinning at all makes a token five times as slow.
                env={"GOMP_SPINCOUNT": "30000", **os.environ},
                **options,
            )
        except OSError as error:
            raise EngineError(f"The engine's worker does not start: {error}.") from error
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Events] = {}
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._dead = False
        self._said: collections.deque[str] = collections.deque(maxlen=40)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._noise = threading.Thread(target=self._hear, args=(self.process.stderr,), daemon=True)
        self._noise.start()
        threading.Thread(target=self._receive, args=(self.process.stdout,), daemon=True).start()

    @property
    def alive(self) -> bool:
        return not self._dead and self.process.poll() is None

    def request(self, op: str, **fields: Any) -> tuple[int, Events]:
        """Send a request; its number, and the queue its events will come to ("died" if the worker is gone)."""
        number = next(self._numbers)
        events: Events = queue.SimpleQueue()
        with self._lock:
            self._waiting[number] = events
            if self._dead:
                events.put(self._death())
        self._send({"op": op, "id": number, **fields})
        return number, events

    def cancel(self, number: int) -> None:
        self._send({"op": "cancel", "id": number})

    def done(self, number: int) -> None:
        """No more events of that request are wanted."""
        with self._lock:
            self._waiting.pop(number, None)

    def stop(self) -> None:
        """End the process now: what it holds is memory alone."""
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError, ValueError):
                if stream is self.process.stdin and stream is not None:
                    stream.close()

    def last_words(self) -> str:
        """The line of its standard error that says most: the last one about an error, else the last one."""
        self._noise.join(timeout=0.5 if self._dead else 0.05)
        lines = [line for line in reversed(self._said) if line.strip()]
        return next((line for line in lines if "error" in line.lower()), lines[0] if lines else "")

    def ending(self) -> str:
        """How the process ended, in words."""
        code = self.process.poll()
        if code is None:
            return "closed its output"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"was ended by {signal.Signals(-code).name}"
        return f"ended with code {code}"

    @property
    def crashed(self) -> bool:
        """Whether native code brought it down, rather than an exception, a kill or a normal end."""
        code = self.process.poll()
        if code is None or code == 0:
            return False
        fatal = {-getattr(signal, name, 0) for name in ("SIGSEGV", "SIGILL", "SIGBUS", "SIGABRT", "SIGFPE")}
        return code in fatal or code >= 0xC0000000  # Windows' exception codes

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        stdin = self.process.stdin
        assert stdin is not None
        with self._sending, contextlib.suppress(OSError, ValueError):  # a dead worker is reported as an event
            stdin.write(data)
            stdin.flush()

    def _receive(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in stream:
                try:
                    event = json.loads(line)
                except ValueError:
                    break  # cut off in the middle of a line
                with self._lock:
                    events = self._waiting.get(event.get("id"))
                if events is not None:
                    events.put(event)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        with self._lock:
            self._dead = True
            waiting = list(self._waiting.values())
        for events in waiting:
            events.put(self._death())

    def _hear(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in stream:
                self._said.append(line.decode("utf-8", "replace").rstrip())

    def _death(self) -> dict[str, Any]:
        return {"event": "died"}
