from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest
from fakes import FakeEngine, FakeScorer
from posi.posi_core.errors import EngineError, ScorerError

KEYS = [
    "text", "action", "risk_before", "risk_after", "similarity",
    "changes", "reason", "seconds", "model", "policy",
]  # fmt: skip


def test_safe_text_alone_comes_out_in_a_pipe(run: Any) -> None:
    answer = run("rewrite", "a bloody knight on a horse", "a quiet lake")
    assert answer.lines == ["a shining knight on a horse", "a quiet lake"]
    assert answer.code == 0
    assert answer.err == ""


def test_json_holds_the_promised_keys_first(run: Any) -> None:
    answer = run("rewrite", "--json", "a bloody knight on a horse")
    data = json.loads(answer.out)
    assert list(data)[: len(KEYS)] == KEYS
    assert data["action"] == "rewrite"
    assert data["text"] == "a shining knight on a horse"
    assert data["risk_before"]["categories"]["violence"] == 0.9
    assert data["changes"][0]["before"] == "bloody"
    assert data["policy"].startswith("standard-")


def test_block_is_exit_code_3_with_the_reason_on_stderr(run: Any) -> None:
    answer = run("rewrite", "noose", engine=FakeEngine(stubborn=["noose"]))
    assert answer.code == 3
    assert answer.out == "\n"
    assert answer.err.startswith("posi: blocked: ")
    assert "elf-harm 0.90" in answer.err


def test_a_failure_of_the_models_blocks_and_never_prints_the_prompt(run: Any) -> None:
    engine, scorer = FakeEngine(), FakeScorer()
    engine.error = EngineError("The worker died.")
    answer = run("rewrite", "a bloody knight", engine=engine)
    assert (answer.code, answer.out) == (1, "\n")
    assert "The worker died." in answer.err
    scorer.error = ScorerError("The scorer is gone.")
    answer = run("rewrite", "a quiet lake", scorer=scorer)
    assert (answer.code, answer.out) == (1, "\n")


@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_a_file_gives_one_line_for_each_line(run: Any, lines: Any, ending: bytes) -> None:
    content = b"\xef\xbb\xbfa bloody knight\r\n\n   \na quiet\xe2\x80\xa8 lake\nnoose" + ending
    answer = run("rewrite", "--file", lines(content), engine=FakeEngine(stubborn=["noose"]))
    assert answer.out.split("\n") == ["a shining knight", "", "   ", "a quiet\u2028 lake", "", ""]
    assert answer.code == 3
    assert "line 5: blocked" in answer.err


def test_an_empty_line_is_an_empty_pass(run: Any, lines: Any) -> None:
    answer = run("rewrite", "--json", "--file", lines(b"\na quiet lake\n"))
    first, second = map(json.loads, answer.lines)
    assert (first["text"], first["action"]) == ("", "pass")
    assert second["text"] == "a quiet lake"


@pytest.mark.parametrize("arguments", [["-"], ["--file", "-"]])
def test_a_dash_is_standard_input(run: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a bloody knight\na quiet lake\n")))
    answer = run("rewrite", *arguments)
    assert answer.lines == ["a shining knight", "a quiet lake"]


def test_an_empty_file_gives_nothing(run: Any, lines: Any) -> None:
    answer = run("rewrite", "--file", lines(b""))
    assert (answer.code, answer.out) == (0, "")


def test_utf16_with_a_byte_order_mark_is_read(run: Any, lines: Any) -> None:
    answer = run("rewrite", "--file", lines("a bloody knight\nein See, ruhig über Nacht\n".encode("utf-16")))
    assert answer.lines == ["a shining knight", "ein See, ruhig über Nacht"]


def test_bytes_that_are_no_text_are_named_by_line(run: Any, lines: Any) -> None:
    answer = run("rewrite", "--file", lines(b"a lake\na \xff\xfe house\n"))
    assert answer.code == 2
    assert "prompts.txt, line 2, is not UTF-8" in answer.err


def test_standard_input(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("a bloody knight\nçà\n".encode())))
    assert run("rewrite", "--file", "-").lines == ["a shining knight", "çà"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Nothing to do"),
        (["--file", "/no/such/file"], "cannot be read: No such file"),
        (["--file", "/"], "cannot be read: Is a directory"),
        (["--file", "x", "a lake"], "either prompts or --file"),
        (["--policy", "x.toml", "--strictness", "strict", "a"], "either --strictness or --policy"),
        (["--policy", "/no/such/policy.toml", "a"], "policy"),
        (["--server", "http://127.0.0.1:9/v1", "a"], "--server needs --server-model"),
        (["--server", "u", "--server-model", "m", "--threads", "2", "a"], "leave out --model"),
        (["a \udcff house"], "is not UTF-8 text"),
        (["--timeout", "0", "a"], "seconds above 0"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(run: Any, arguments: list[str], message: str) -> None:
    answer = run("rewrite", *arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.startswith("posi: error: ")
    assert answer.err.count("\n") == 1
    assert message in answer.err


def test_unknown_options_and_values_are_exit_code_2(run: Any) -> None:
    assert run("rewrite", "--strictness", "mild", "a").code == 2
    assert run("rewrite", "--syntax", "latex", "a").code == 2
    assert run("rewrite", "--nonsense").code == 2
    assert run("nonsense").code == 2


def test_a_model_file_of_ones_own_must_exist(run: Any) -> None:
    answer = run("rewrite", "--model", "/no/such.gguf", "a lake")
    assert answer.code == 1
    assert answer.err == "posi: error: model file /no/such.gguf does not exist: check the path\n"


def test_syntax_and_strictness_reach_the_core(run: Any) -> None:
    answer = run(
        "rewrite", "--json", "--syntax", "a1111", "--strictness", "strict", "a (bloody:1.2) knight <lora:x:1>"
    )
    data = json.loads(answer.out)
    assert data["text"] == "a (shining:1.2) knight <lora:x:1>"
    assert data["policy"].startswith("strict-")


def test_bare_rewrites_what_the_gate_would_pass(run: Any) -> None:
    engine = FakeEngine({"lake": "pond"})
    assert run("rewrite", "a quiet lake", engine=engine).lines == ["a quiet lake"]
    answer = run("rewrite", "--bare", "--json", "a quiet lake", engine=engine)
    data = json.loads(answer.out)
    assert data["text"] == "a quiet pond"
    assert data["risk_before"] is data["risk_after"] is data["similarity"] is None


def test_cache_answers_the_second_time_unless_switched_off(run: Any) -> None:
    cached = [
        json.loads(run("rewrite", "--json", *more, "a bloody knight").out)["cached"]
        for more in ([], [], ["--no-cache"])
    ]
    assert cached == [False, True, False]
