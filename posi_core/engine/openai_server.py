"""Any server with OpenAI's completions API (llama-server, vLLM, Ollama, llama-cpp-python): the way past one machine."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

from ..errors import CancelledError, DeadlineError, EngineError, UsageError
from .protocol import Completion, EngineStatus, GenerateRequest, PromptTemplate

SHIPPED_TEMPLATE = PromptTemplate(
    prefix="<|im_start|>Rewrite this image prompt so that it is safe:\n",
    suffix="<|im_end|>",
    stop=("<|im_end|>",),
)
"""What the shipped model was trained with: a server does not tell its model's template."""

_POLL = 0.02
_LONGEST = 600.0  # seconds without a deadline


class OpenAIEngine:
    """A rewriter served elsewhere. `base_url` ends where "/completions" follows, mostly in "/v1".

    The key is read from the environment variable `api_key_env`, and sent only if that is set. The whole prompt
    goes to the server as one text, so whatever looks like a template's special token in the user's part is broken
    up first. Raises UsageError if `base_url` is no http(s) address.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key_env: str = "POSI_API_KEY",
        *,
        template: PromptTemplate = SHIPPED_TEMPLATE,
    ) -> None:
        address = urllib.parse.urlsplit(base_url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise UsageError(f"{base_url!r} is no http(s) address: give one like http://localhost:8080/v1")
        self._url = base_url.rstrip("/")
        self._model = model
        self._key = os.environ.get(api_key_env, "")
        self._template = template
        self._closed = False
        self._running = 0
        self._lock = threading.Lock()
        self._last_error = ""

    @property
    def identity(self) -> str:
        return f"{self._model or 'default'}@{self._url}"

    @property
    def template(self) -> PromptTemplate:
        return self._template

    @property
    def can_avoid(self) -> bool:
        return False

    def generate(
        self,
        request: GenerateRequest,
        *,
        deadline: float | None = None,
        cancelled: Callable[[], bool] | None = None,
        on_token: Callable[[int], None] | None = None,
    ) -> list[Completion]:
        """See Engine.generate. Requests of several threads go out at the same time; drafts are the server's affair."""
        if self._closed:
            raise EngineError("The engine was closed.")
        if request.avoid:
            raise EngineError("A server cannot be told which words to avoid: ask without `avoid`.")
        with self._counted():
            try:
                # One call a candidate: several servers ignore "n".
                count = 1 if request.temperature <= 0 else request.n
                found = []
                for index in range(count):
                    found.append(self._call(self._body(request, index), deadline, cancelled))
                    if on_token is not None:
                        on_token(sum(completion.tokens for completion in found))
            except EngineError as error:
                if not isinstance(error, (DeadlineError, CancelledError)):
                    self._last_error = str(error)
                raise
        return found if request.temperature > 0 else found * request.n

    def unload(self) -> None:
        """Nothing is held here."""

    def close(self) -> None:
        self._closed = True

    def health(self) -> EngineStatus:
        return EngineStatus(
            kind="openai",
            identity=self.identity,
            loaded=not self._closed,
            busy=self._running > 0,
            last_error=self._last_error,
        )

    @contextlib.contextmanager
    def _counted(self) -> Any:
        with self._lock:
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1

    def _body(self, request: GenerateRequest, index: int) -> dict[str, Any]:
        user = _without_special_tokens(request.user, request)
        body: dict[str, Any] = {
            "prompt": f"{request.prefix}{user}{request.suffix}",
            "max_tokens": request.max_tokens or most_tokens(request.user),
            "temperature": max(request.temperature, 0.0),
            "top_p": request.top_p,
            "seed": request.seed + index,
            "stop": list(request.stop),
            # llama.cpp's servers penalise repetition by default, and a rewrite repeats its prompt.
            "repeat_penalty": 1.0,
        }
        if self._model:
            body["model"] = self._model
        if request.top_k > 0:
            body["top_k"] = request.top_k
        return body

    def _call(
        self, body: dict[str, Any], deadline: float | None, cancelled: Callable[[], bool] | None
    ) -> Completion:
        """The call runs in a thread of its own, which a deadline or a cancellation leaves behind."""
        call = _Call(f"{self._url}/completions", body, self._key, _seconds_left(deadline))
        while not call.finished.wait(timeout=min(_POLL, _seconds_left(deadline))):
            try:
                if cancelled is not None and cancelled():
                    raise CancelledError("The request was cancelled.")
                if deadline is not None and time.monotonic() >= deadline:
                    raise DeadlineError("The time allowed passed before the rewrite was complete.")
            except EngineError:
                call.abandon()
                raise
        return call.completion()


class _Call:
    """One HTTP request. Closing its socket tells the server to stop."""

    def __init__(self, url: str, body: dict[str, Any], key: str, timeout: float) -> None:
        self.finished = threading.Event()
        self._url = url
        self._answer: Any = None
        self._error: Exception | None = None
        address = urllib.parse.urlsplit(url)
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        assert address.hostname is not None
        self._connection = kind(address.hostname, address.port, timeout=timeout)
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        path = address.path + (f"?{address.query}" if address.query else "")
        threading.Thread(target=self._run, args=(path, json.dumps(body), headers), daemon=True).start()

    def abandon(self) -> None:
        with contextlib.suppress(OSError):
            sock = self._connection.sock
            if sock is not None:
                sock.close()
            self._connection.close()

    def completion(self) -> Completion:
        """Raises EngineError unless the server answered with a completion."""
        if self._error is not None:
            raise EngineError(f"{self._url} does not answer: {self._error}.") from self._error
        status, data = self._answer
        if status != 200:
            detail = data.decode("utf-8", "replace").strip()[:200]
            raise EngineError(f"{self._url} answered with status {status}: {detail or 'no details'}.")
        try:
            answer = json.loads(data)
            choice = answer["choices"][0]
            text = choice["text"]
            if not isinstance(text, str):
                raise TypeError("text is no string")
        except (ValueError, LookupError, TypeError) as error:
            raise EngineError(
                f"{self._url} answered with something else than a completion ({error!r})."
            ) from error
        usage = answer.get("usage") or {}
        return Completion(
            text=text,
            tokens=int(usage.get("completion_tokens") or 0),
            finished=choice.get("finish_reason") == "stop",
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
        )

    def _run(self, path: str, body: str, headers: dict[str, str]) -> None:
        try:
            self._connection.request("POST", path, body, headers)
            response = self._connection.getresponse()
            self._answer = response.status, response.read()
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            self._error = error  # AttributeError: http.client's, when the socket is closed under it
        finally:
            with contextlib.suppress(OSError):
                self._connection.close()
            self.finished.set()


def most_tokens(user: str) -> int:
    """Limit of an answer where tokens cannot be counted: a token has at least one byte."""
    return len(user.encode("utf-8", "replace")) * 3 // 2 + 32


def _seconds_left(deadline: float | None) -> float:
    return _LONGEST if deadline is None else max(deadline - time.monotonic(), 0.001)


def _without_special_tokens(user: str, request: GenerateRequest) -> str:
    """Break up what the server would read as special tokens: "<|" anywhere, and the stop texts."""
    text = user.replace("<|", "< |").replace("|>", "| >")
    for stop in request.stop:
        if len(stop) > 1:
            text = text.replace(stop, f"{stop[0]} {stop[1:]}")
    return text
