"""The teacher against a real local server that is slow, busy, broken and unhelpful in turn."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("httpx")

from fakes import FakeEncoder, FakeScorer
from posi.posi_core.errors import PosiError, UsageError
from posi.trainer.teacher.judge import clean
from posi.trainer.teacher.run import TeachSettings, estimate, remaining, teach

Answer = Callable[[str, int], tuple[int, Any, dict[str, str]]]


class Server:
    """Answers by `answer(prompt, how often it was asked)` and remembers what it saw."""

    def __init__(self) -> None:
        self.answer: Answer = lambda prompt, count: (200, prompt.replace("bloody", "shining"), {})
        self.asked: list[str] = []
        self.keys: list[str | None] = []
        self.times: list[float] = []
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                prompt = body["messages"][-1]["content"]
                with outer._lock:
                    outer.times.append(time.monotonic())
                    outer.asked.append(prompt)
                    outer.keys.append(self.headers.get("Authorization"))
                    outer._now += 1
                    outer.most_at_once = max(outer.most_at_once, outer._now)
                    count = outer.asked.count(prompt)
                status, content, headers = outer.answer(prompt, count)
                data = content
                if status == 200 and isinstance(content, str):
                    data = {"choices": [{"message": {"content": content}}], "usage": {"prompt_tokens": 9}}
                payload = json.dumps(data).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)
                with outer._lock:
                    outer._now -= 1

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/v1"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def settings(server: Server, **changes: Any) -> TeachSettings:
    return TeachSettings(server.url, "teacher", backoff=0.01, **changes)


PROMPTS = [f"a bloody knight on hill number {n}" for n in range(12)]


def run(prompts: list[str], out: Path, made: TeachSettings) -> dict[str, int]:
    return teach(prompts, out, made, FakeScorer(), FakeEncoder())


def rows(path: Path) -> dict[str, dict[str, Any]]:
    return {row["toxic"]: row for row in map(json.loads, path.read_text().splitlines())}


def test_pairs_are_written_and_requests_overlap(server: Server, tmp_path: Path) -> None:
    def slowly(prompt: str, count: int) -> tuple[int, str, dict[str, str]]:
        time.sleep(0.05)
        return 200, prompt.replace("bloody", "shining"), {}

    server.answer = slowly
    out = tmp_path / "pairs.jsonl"
    assert run(PROMPTS, out, settings(server, concurrency=4)) == {"kept": 12}
    assert rows(out)[PROMPTS[3]]["clean"] == "a shining knight on hill number 3"
    assert 2 <= server.most_at_once <= 4


def test_bad_answers_are_counted_by_reason_and_kept_out(server: Server, tmp_path: Path) -> None:
    answers = {
        PROMPTS[0]: "I'm sorry, I can't help with that.",
        PROMPTS[1]: "a bloody knight",
        PROMPTS[2]: "fruit",
        PROMPTS[3]: "",
        PROMPTS[4]: "Sure, here is a knight",
        PROMPTS[5]: '"a shining knight on hill number 5"',
    }
    server.answer = lambda prompt, count: (200, answers[prompt], {})
    out = tmp_path / "pairs.jsonl"
    counts = run(PROMPTS[:6], out, settings(server))
    assert counts == {"refusal": 1, "unsafe": 1, "unrelated": 1, "empty": 1, "chatter": 1, "kept": 1}
    assert rows(out)[PROMPTS[5]]["clean"] == "a shining knight on hill number 5"


def test_busy_and_broken_servers_are_asked_again(server: Server, tmp_path: Path) -> None:
    def flaky(prompt: str, count: int) -> tuple[int, Any, dict[str, str]]:
        if count == 1:
            return 429, {"error": "slow down"}, {"Retry-After": "0.05"}
        if count == 2:
            return 503, {"error": "busy"}, {}
        return 200, "a shining knight on hill number 0", {}

    server.answer = flaky
    assert run(PROMPTS[:1], tmp_path / "pairs.jsonl", settings(server)) == {"kept": 1}
    assert len(server.asked) == 3
    assert server.times[1] - server.times[0] >= 0.05


def test_a_stopped_run_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    out = tmp_path / "pairs.jsonl"

    def fail_late(prompt: str, count: int) -> tuple[int, Any, dict[str, str]]:
        if prompt == PROMPTS[5]:
            return 500, {"error": "down"}, {}
        return 200, prompt.replace("bloody", "shining"), {}

    server.answer = fail_late
    with pytest.raises(PosiError, match="no answer in 2 tries"):
        run(PROMPTS, out, settings(server, attempts=2, concurrency=1))
    assert set(rows(out)) == set(PROMPTS[:5])
    with out.open("a") as file:
        file.write('{"toxic": "half a li')  # what a kill in mid-write leaves
    assert remaining(PROMPTS, out) == PROMPTS[5:]
    server.asked.clear()
    server.answer = lambda prompt, count: (200, prompt.replace("bloody", "shining"), {})
    assert run(PROMPTS, out, settings(server)) == {"kept": 12}
    assert sorted(server.asked) == sorted(PROMPTS[5:])


def test_a_refused_key_stops_at_once(server: Server, tmp_path: Path) -> None:
    server.answer = lambda prompt, count: (401, {"error": "bad key"}, {})
    with pytest.raises(UsageError, match="check key"):
        run(PROMPTS, tmp_path / "pairs.jsonl", settings(server, concurrency=1))
    assert len(server.asked) == 1


def test_the_key_comes_from_the_environment_and_is_written_nowhere(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSI_API_KEY", "very-secret")
    out = tmp_path / "pairs.jsonl"
    run(PROMPTS[:1], out, settings(server))
    assert server.keys == ["Bearer very-secret"]
    assert "very-secret" not in out.read_text()


def test_requests_are_spaced_by_the_rate_limit(server: Server, tmp_path: Path) -> None:
    run(PROMPTS[:5], tmp_path / "pairs.jsonl", settings(server, per_minute=300, concurrency=5))
    # Four gaps of 0.2 s; half of that leaves room for a first request that arrives late.
    assert max(server.times) - min(server.times) >= 0.4


def test_an_answer_that_is_no_completion_is_an_error(server: Server, tmp_path: Path) -> None:
    server.answer = lambda prompt, count: (200, {"unexpected": True}, {})
    with pytest.raises(PosiError, match="not a chat completion"):
        run(PROMPTS[:1], tmp_path / "pairs.jsonl", settings(server))


def test_the_estimate_counts_tokens_and_money(server: Server) -> None:
    made = estimate(["x" * 400] * 1000, settings(server, price_in=1.0, price_out=2.0))
    assert made.prompts == 1000
    assert made.tokens_out == 100_000
    assert made.dollars == pytest.approx((made.tokens_in * 1.0 + made.tokens_out * 2.0) / 1e6)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("Prompt: a barn", "a barn"),
        ("'a barn'", "a barn"),
        ("a\nbarn  ", "a barn"),
        ('a "red" barn', 'a "red" barn'),
    ],
)
def test_the_prompt_inside_an_answer_is_found(answer: str, text: str) -> None:
    assert clean(answer) == text
