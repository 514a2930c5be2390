from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from engine_requests import PROMPT, request
from posi.posi_core.engine import LlamaCppEngine
from posi.posi_core.errors import CancelledError, DeadlineError, EngineError

Open = Callable[..., LlamaCppEngine]


def test_the_template_comes_from_the_file(tiny: Path, open_engine: Open) -> None:
    template = open_engine(tiny).template
    assert (template.prefix, template.suffix) == ("<|im_start|>Rewrite:\n", "<|im_end|>")
    assert template.stop == ("<|im_end|>",)
    assert template.training_commit == "0123abc"


def test_drafts_change_nothing_but_the_number_of_batches(tiny: Path, open_engine: Open) -> None:
    engine = open_engine(tiny)
    for prompt in (PROMPT, "the cat", "a", "the the the the the the the", "seaéあ😀 house\n\tmat"):
        (drafted,) = engine.generate(request(prompt))
        (plain,) = engine.generate(request(prompt, draft=False))
        assert drafted.ids == plain.ids
        assert drafted.text == plain.text
        assert plain.rounds == plain.tokens
        assert drafted.rounds <= plain.rounds


def test_the_answer_is_that_of_create_completion(tiny: Path, open_engine: Open) -> None:
    llama_cpp = pytest.importorskip("llama_cpp")
    model = llama_cpp.Llama(str(tiny), n_ctx=2048, n_threads=1, flash_attn=True, verbose=False)
    engine = open_engine(tiny)
    for prompt in (PROMPT, "a red cat", "house " * 40):
        (ours,) = engine.generate(request(prompt, max_tokens=30))
        tokens = [
            *model.tokenize(b"<|im_start|>Rewrite:\n", add_bos=False, special=True),
            *model.tokenize(prompt.encode(), add_bos=False, special=False),
            *model.tokenize(b"<|im_end|>", add_bos=False, special=True),
        ]
        model.create_completion(tokens, max_tokens=30, temperature=0.0)
        theirs = [int(token) for token in model.input_ids[len(tokens) : model.n_tokens]]
        assert len(theirs) >= 29
        assert list(ours.ids)[:29] == theirs[:29]
    model.close()


def test_the_template_stays_in_the_cache(tiny: Path, open_engine: Open) -> None:
    engine = open_engine(tiny)
    (first,) = engine.generate(request("the cat"))
    (second,) = engine.generate(request("a dog"))
    assert first.cached_tokens == 0
    assert second.cached_tokens == first.prompt_tokens - 5  # all but t, h, e, " cat" and the suffix


def test_special_tokens_in_a_prompt_are_text(tiny: Path, open_engine: Open) -> None:
    engine = open_engine(tiny)
    (answer,) = engine.generate(request("<|im_end|>", max_tokens=4))
    (single,) = engine.generate(request("x", max_tokens=4))
    assert answer.prompt_tokens + answer.cached_tokens == single.prompt_tokens + single.cached_tokens + 9


def test_candidates_are_repeatable_by_seed_and_differ(tiny: Path, open_engine: Open) -> None:
    engine = open_engine(tiny)
    ask = request(n=4, temperature=1.0, top_k=40, top_p=0.95, seed=3, max_tokens=20)
    first, second = engine.generate(ask), engine.generate(ask)
    assert [answer.ids for answer in first] == [answer.ids for answer in second]
    assert len({answer.ids for answer in first}) == 4
    other = engine.generate(request(n=4, temperature=1.0, top_k=40, top_p=0.95, seed=4, max_tokens=20))
    assert [answer.ids for answer in first] != [answer.ids for answer in other]


def test_sampling_with_drafts_is_sampling_without(tiny: Path, open_engine: Open) -> None:
    engine = open_engine(tiny)
    for seed in range(3):
        # A random model is undecided: at a higher temperature rounding shows in the choice.
        options = {"n": 2, "temperature": 0.02, "seed": seed, "max_tokens": 24}
        drafted = engine.generate(request(**options))
        plain = engine.generate(request(draft=False, **options))
        assert [answer.ids for answer in drafted] == [answer.ids for answer in plain]


def test_greedy_candidates_are_one(tiny: Path, open_engine: Open) -> None:
    answers = open_engine(tiny).generate(request(n=3))
    assert len(answers) == 3
    assert len({answer.text for answer in answers}) == 1


def test_what_does_not_fit_is_refused_and_the_next_works(tiny: Path, open_engine: Open) -> None:
    engine = open_engine(tiny, context=256)
    with pytest.raises(EngineError, match="context of 256"):
        engine.generate(request("house " * 300))
    with pytest.raises(EngineError, match="at most 8"):
        engine.generate(request(n=9, temperature=1.0))
    assert engine.generate(request("the cat"))[0].tokens


def test_progress_counts_tokens(tiny: Path, open_engine: Open) -> None:
    told: list[int] = []
    (answer,) = open_engine(tiny).generate(request(), on_token=told.append)
    assert told == sorted(told)
    assert told[-1] == answer.tokens


def test_ten_threads_at_once(tiny: Path, open_engine: Open) -> None:
    engine = open_engine(tiny)
    prompts = [f"the {word} by the sea" for word in ("cat", "dog", "mat", "house", "sea")] * 2
    alone = {prompt: engine.generate(request(prompt))[0].text for prompt in set(prompts)}
    with ThreadPoolExecutor(10) as pool:
        together = list(pool.map(lambda prompt: engine.generate(request(prompt))[0].text, prompts))
    assert together == [alone[prompt] for prompt in prompts]
    assert engine.health().starts == 1


def test_deadline(slow: Path, open_engine: Open) -> None:
    engine = open_engine(slow)
    _ = engine.template
    began = time.monotonic()
    with pytest.raises(DeadlineError):
        engine.generate(request(max_tokens=1000), deadline=began + 0.2)
    assert time.monotonic() - began < 0.5
    assert engine.generate(request(max_tokens=2))[0].tokens == 2
    assert engine.health().starts == 1
    with pytest.raises(DeadlineError):
        engine.generate(request(), deadline=time.monotonic() - 1)


def test_a_deadline_during_loading_lets_it_load(slow: Path, open_engine: Open) -> None:
    engine = open_engine(slow)
    with pytest.raises(DeadlineError):
        engine.generate(request(), deadline=time.monotonic() + 0.05)
    assert engine.generate(request(max_tokens=2))[0].tokens == 2
    assert engine.health().starts == 1


def test_cancellation_is_heard_between_tokens(slow: Path, open_engine: Open) -> None:
    engine = open_engine(slow)
    _ = engine.template
    wanted = threading.Event()
    heard: list[float] = []

    def cancel(tokens: int) -> None:
        if tokens >= 3 and not wanted.is_set():
            wanted.set()
            heard.append(time.monotonic())

    with pytest.raises(CancelledError):
        engine.generate(request(max_tokens=1000, draft=False), cancelled=wanted.is_set, on_token=cancel)
    assert time.monotonic() - heard[0] < 0.2
    # The worker hears it as soon: the next request does not wait for the thousand tokens.
    engine.generate(request(max_tokens=1))
    assert time.monotonic() - heard[0] < 1.0
    assert engine.health().starts == 1


def test_waiting_for_another_request_can_be_cancelled(slow: Path, open_engine: Open) -> None:
    engine = open_engine(slow)
    _ = engine.template
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(engine.generate, request(max_tokens=60, draft=False))
        while not engine.health().busy:
            time.sleep(0.005)
        with pytest.raises(CancelledError):
            engine.generate(request(), cancelled=lambda: True)
        assert long.result()[0].tokens == 60


def test_idle_unloading_and_loading_again(tiny: Path, open_engine: Open) -> None:
    engine = open_engine(tiny, idle_unload_seconds=0.2)
    before = engine.generate(request())[0].text
    assert engine.health().loaded
    end = time.monotonic() + 10
    while engine.health().loaded and time.monotonic() < end:
        time.sleep(0.02)
    health = engine.health()
    assert not health.loaded
    assert health.pid is None
    assert engine.generate(request())[0].text == before
    assert engine.health().starts == 2


def test_unload_and_close(tiny: Path, open_engine: Open) -> None:
    engine = open_engine(tiny)
    assert not engine.health().loaded
    engine.generate(request())
    health = engine.health()
    assert health.loaded
    assert health.memory
    assert health.peak_memory
    engine.unload()
    assert not engine.health().loaded
    engine.generate(request())
    engine.close()
    assert not engine.health().loaded
    with pytest.raises(EngineError, match="closed"):
        engine.generate(request())


def test_identity_names_the_file_and_its_content(tiny: Path, tmp_path: Path, open_engine: Open) -> None:
    copy = tmp_path / "tiny.gguf"
    copy.write_bytes(tiny.read_bytes())
    assert open_engine(copy).identity == open_engine(tiny).identity
    assert open_engine(tiny).identity.startswith("tiny@")
