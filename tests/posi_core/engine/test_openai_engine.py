from __future__ import annotations

import contextlib
import http.server
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from engine_requests import request
from posi.posi_core.engine import LlamaCppEngine, OpenAIEngine, PromptTemplate
from posi.posi_core.errors import CancelledError, DeadlineError, EngineError, UsageError
from tiny_gguf import PREFIX, STOP, SUFFIX


@pytest.fixture(scope="module")
def server(tiny: Path) -> Iterator[str]:
    """llama-cpp-python's own server with the tiny model; the base URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(tiny), "--host", "127.0.0.1"]
    options = ["--port", str(port), "--n_threads", "1", "--n_threads_batch", "1", "--flash_attn", "true"]
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    url = f"http://127.0.0.1:{port}/v1"
    end = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{url}/models", timeout=2).close()
            break
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                pytest.fail(f"the server does not start: {process.communicate()[1].decode()[-2000:]}")
            time.sleep(0.1)
    yield url
    process.kill()
    process.communicate()


def test_a_real_server_says_what_the_local_engine_says(
    server: str, tiny: Path, open_engine: Callable[..., LlamaCppEngine]
) -> None:
    remote, local = OpenAIEngine(server, ""), open_engine(tiny)
    for prompt in ("the cat", "a red house by the sea"):
        ask = request(prompt, max_tokens=12)
        (theirs,), (ours,) = remote.generate(ask), local.generate(ask)
        assert theirs.text.strip() == ours.text.replace("�", "").strip()
        assert theirs.tokens in (12, 13)  # the server counts one more than it says
        assert not theirs.finished


def test_words_to_avoid_are_refused() -> None:
    engine = OpenAIEngine("http://127.0.0.1:9/v1", "")
    assert not engine.can_avoid
    with pytest.raises(EngineError, match="which words to avoid"):
        engine.generate(request(avoid=(("cat",),)))


def test_a_real_server_samples_by_seed(server: str) -> None:
    engine = OpenAIEngine(server, "tiny")
    ask = request("the cat", n=3, temperature=1.0, seed=5, max_tokens=8)
    first = engine.generate(ask)
    assert len({answer.text for answer in first}) > 1
    assert [answer.text for answer in engine.generate(ask)] == [answer.text for answer in first]


def test_a_real_server_refuses_what_does_not_fit(server: str) -> None:
    with pytest.raises(EngineError, match="status 4"):
        OpenAIEngine(server, "").generate(request("house " * 5000))


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers with what the test says, and remembers what it was asked."""

    seen: ClassVar[list[tuple[dict[str, Any], dict[str, str]]]] = []
    answer: tuple[int, bytes] = (200, b"")
    delay = 0.0

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).seen.append((body, dict(self.headers)))
        time.sleep(type(self).delay)
        status, data = type(self).answer
        with contextlib.suppress(OSError):  # who asked may have gone
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


GOOD = json.dumps({"choices": [{"text": "a cat", "finish_reason": "stop"}]}).encode()


@pytest.fixture
def stub() -> Iterator[tuple[str, type[Answering]]]:
    handler = type("Handler", (Answering,), {"seen": [], "answer": (200, GOOD), "delay": 0.0})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/", handler
        server.shutdown()


def test_what_is_sent(stub: tuple[str, type[Answering]], monkeypatch: pytest.MonkeyPatch) -> None:
    url, handler = stub
    monkeypatch.setenv("POSI_API_KEY", "secret")
    engine = OpenAIEngine(url, "rewriter-1", template=PromptTemplate(PREFIX, SUFFIX, (STOP,)))
    (answer,) = engine.generate(request("a <|im_end|> cat", seed=7, top_k=5))
    assert (answer.text, answer.finished) == ("a cat", True)
    body, headers = handler.seen[0]
    # What a prompt says is never read as a special token.
    assert body["prompt"] == f"{PREFIX}a < |im_end| > cat{SUFFIX}"
    assert body["model"] == "rewriter-1"
    assert body["stop"] == [STOP]
    assert (body["temperature"], body["seed"], body["top_k"]) == (0.0, 7, 5)
    assert body["repeat_penalty"] == 1.0
    assert headers["Authorization"] == "Bearer secret"


def test_no_key_is_sent_without_one(
    stub: tuple[str, type[Answering]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, handler = stub
    monkeypatch.delenv("POSI_API_KEY", raising=False)
    OpenAIEngine(url, "").generate(request("a cat"))
    body, headers = handler.seen[0]
    assert "Authorization" not in headers
    assert "model" not in body


def test_candidates_have_seeds_of_their_own(stub: tuple[str, type[Answering]]) -> None:
    url, handler = stub
    told: list[int] = []
    answers = OpenAIEngine(url, "").generate(
        request("a cat", n=3, temperature=0.5, seed=4), on_token=told.append
    )
    assert len(answers) == len(told) == 3
    assert [body["seed"] for body, _ in handler.seen] == [4, 5, 6]
    assert len(OpenAIEngine(url, "").generate(request("a cat", n=3))) == 3
    assert len(handler.seen) == 4  # greedy candidates are one


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((500, b"out of memory"), "status 500: out of memory"),
        ((401, b""), "status 401: no details"),
        ((200, b"<html>"), "something else than a completion"),
        ((200, b'{"choices": []}'), "something else than a completion"),
        ((200, b'{"choices": [{"text": 5}]}'), "something else than a completion"),
    ],
)
def test_bad_answers(stub: tuple[str, type[Answering]], answer: tuple[int, bytes], says: str) -> None:
    url, handler = stub
    handler.answer = answer
    engine = OpenAIEngine(url, "")
    with pytest.raises(EngineError, match=says):
        engine.generate(request("a cat"))
    assert says in engine.health().last_error


def test_nobody_there() -> None:
    with pytest.raises(EngineError, match="does not answer"):
        OpenAIEngine("http://127.0.0.1:9/v1", "").generate(request("a cat"))
    for url in ("localhost:8080", "ftp://host/v1", ""):
        with pytest.raises(UsageError, match="http"):
            OpenAIEngine(url, "")


def test_deadline_and_cancellation_do_not_wait(stub: tuple[str, type[Answering]]) -> None:
    url, handler = stub
    handler.delay = 2.0
    engine = OpenAIEngine(url, "")
    began = time.monotonic()
    with pytest.raises(DeadlineError):
        engine.generate(request("a cat"), deadline=began + 0.2)
    with pytest.raises(CancelledError):
        engine.generate(request("a cat"), cancelled=lambda: time.monotonic() > began + 0.4)
    assert time.monotonic() - began < 1.0


def test_a_closed_engine_answers_no_more(stub: tuple[str, type[Answering]]) -> None:
    engine = OpenAIEngine(stub[0], "m")
    assert engine.health().loaded
    assert engine.identity == f"m@{stub[0].rstrip('/')}"
    engine.unload()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.generate(request("a cat"))
