from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
from fakes import FakeEngine
from posi.posi_core.engine import Completion
from posi.posi_core.errors import CancelledError, DeadlineError
from posi.posi_core.rewriter import Rewriter


class ScriptedEngine(FakeEngine):
    """Answers with completions rather than texts."""

    def __init__(self, completions: Sequence[Sequence[Completion]]) -> None:
        super().__init__()
        self.completions = [list(answer) for answer in completions]

    def generate(self, request: Any, **options: Any) -> list[Any]:
        super().generate(request, **options)
        return self.completions.pop(0)


def test_a_prompt_goes_out_in_the_template_and_comes_back_clean() -> None:
    engine = FakeEngine(answers=[['"a shining knight"']])
    assert Rewriter(engine).rewrite("a bloody knight") == ["a shining knight"]
    (request,) = engine.requests
    assert (request.prefix, request.user, request.suffix) == ("<safe>", "a bloody knight", "</safe>")
    assert request.stop == ("</s>",)
    assert (request.n, request.temperature) == (1, 0.0)


def test_greedy_has_one_candidate_and_sampling_as_many_as_asked() -> None:
    engine = FakeEngine(answers=[["a knight"], ["a knight", "a calm knight", "a knight"]])
    rewriter = Rewriter(engine)
    assert rewriter.rewrite("a bloody knight", n=3) == ["a knight"]
    assert rewriter.rewrite("a bloody knight", n=3, temperature=0.7, seed=5) == ["a knight", "a calm knight"]
    assert [request.n for request in engine.requests] == [1, 3]
    assert engine.requests[1].seed == 5


def test_unusable_candidates_are_left_out() -> None:
    engine = FakeEngine(answers=[["I'm sorry, no.", "a calm knight", ""]])
    assert Rewriter(engine).rewrite("a bloody knight", n=3, temperature=0.7) == ["a calm knight"]
    engine = FakeEngine(answers=[["I'm sorry, no."]])
    assert Rewriter(engine).rewrite("a bloody knight") == []
    cut = ScriptedEngine([[Completion(text="a knight in a", tokens=5, finished=False)]])
    assert Rewriter(cut).rewrite("a bloody knight") == []


def test_white_space_around_a_prompt_stays() -> None:
    assert Rewriter(FakeEngine()).rewrite("\n a bloody knight  ") == ["\n a shining knight  "]


def test_nothing_to_rewrite_asks_nobody() -> None:
    engine = FakeEngine()
    for text in ("", "  ", "\n\t"):
        assert Rewriter(engine).rewrite(text) == [text]
    assert engine.requests == []


def test_a_long_prompt_is_rewritten_in_parts_and_nothing_is_cut() -> None:
    text = " ".join(f"Knight number {index} has a bloody sword." for index in range(60))
    engine = FakeEngine()
    assert Rewriter(engine).rewrite(text) == [text.replace("bloody", "shining")]
    assert len(engine.requests) > 3


def test_a_part_without_a_usable_answer_spoils_its_candidate_alone() -> None:
    sentence = "A bloody knight rides through the old forest by the sea and sings a song to the moon. "
    text = sentence * 7
    good = sentence.replace("bloody", "calm").strip()
    parts = len(FakeRecorder(text).parts)
    assert parts == 2
    first, second = FakeRecorder(text).parts
    engine = FakeEngine(
        answers=[
            [first.replace("bloody", "calm"), "I'm sorry, no."],
            [second.replace("bloody", "calm"), second.replace("bloody", "kind")],
        ]
    )
    (only,) = Rewriter(engine).rewrite(text, n=2, temperature=0.7)
    assert only == text.replace("bloody", "calm")
    assert good in only


class FakeRecorder:
    """The parts a text is sent in."""

    def __init__(self, text: str) -> None:
        engine = FakeEngine()
        Rewriter(engine).rewrite(text)
        self.parts = [request.user for request in engine.requests]


def test_progress_adds_up_over_the_parts() -> None:
    told: list[int] = []
    Rewriter(FakeEngine()).rewrite("A bloody knight in a tower. " * 60, on_token=told.append)
    assert told == sorted(told)
    assert len(told) > 2


def test_deadline_and_cancellation_reach_the_engine() -> None:
    rewriter = Rewriter(FakeEngine(delay=5))
    with pytest.raises(DeadlineError):
        rewriter.rewrite("a bloody knight", deadline=time.monotonic() + 0.05)
    with pytest.raises(CancelledError):
        rewriter.rewrite("a bloody knight", cancelled=lambda: True)


def test_identity_is_of_engine_and_cleaning() -> None:
    assert Rewriter(FakeEngine()).identity.startswith("fake-engine+")
