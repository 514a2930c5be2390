"""Words to avoid: taken back where they began, and nothing else of the answer changes by it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from engine_requests import PROMPT, request
from posi.posi_core.engine import LlamaCppEngine
from posi.posi_core.engine.avoidance import MOST_BARRED, Avoidance
from posi.posi_core.errors import EngineError

Open = Callable[..., LlamaCppEngine]
PIECES = [" blo", "ody", "om", " red", " sword", ".", " a"]
BLO, ODY, OM, RED, SWORD, DOT, A = range(len(PIECES))


class Pieces:
    """The part of a model that `Avoidance` asks: a vocabulary of these pieces."""

    def starts_word(self, token: int) -> bool:
        return not PIECES[token][0].isalnum()

    def is_end(self, token: int) -> bool:
        return False

    def text(self, tokens: list[int]) -> str:
        return "".join(PIECES[token] for token in tokens)


def avoidance(*words: str) -> Avoidance:
    return Avoidance(words, Pieces())  # type: ignore[arg-type]


def test_a_word_counts_once_it_is_complete() -> None:
    avoid = avoidance("bloody")
    assert avoid.first_avoided([A, BLO], over=False) is None
    assert avoid.first_avoided([A, BLO, ODY], over=False) is None
    assert avoid.first_avoided([A, BLO, ODY, SWORD], over=False) == 1


def test_a_word_that_begins_alike_stays() -> None:
    assert avoidance("bloody").first_avoided([A, BLO, OM, SWORD, DOT], over=True) is None


def test_the_last_word_counts_when_the_answer_is_over() -> None:
    assert avoidance("bloody").first_avoided([A, BLO, ODY], over=True) == 1


def test_words_are_compared_without_case_and_sign_by_sign() -> None:
    assert avoidance("Blood-soaked BLOODY").first_avoided([BLO, ODY, DOT], over=False) == 0


def test_the_first_token_is_barred_there_alone_and_so_is_what_would_glue() -> None:
    avoid = avoidance("bloody")
    avoid.first_avoided([A, BLO, ODY, SWORD], over=False)
    logits = np.array([[9, 8, 0, 3, 0, 0, 0]] * 3, np.float32)
    masked = avoid.mask(logits, 0)
    assert masked.argmax(axis=1).tolist() == [BLO, RED, BLO]
    assert logits.argmax(axis=1).tolist() == [BLO] * 3


def test_a_model_that_insists_may_write_the_word_in_the_end() -> None:
    avoid = avoidance("blo", "ody", "om", "red", "sword", "a")
    tokens = [BLO, ODY, OM, RED, SWORD, A]
    assert len(tokens) == MOST_BARRED
    assert [avoid.first_avoided([token], over=True) for token in tokens] == [0] * MOST_BARRED
    assert avoid.first_avoided([RED], over=True) is None


def first_words(text: str, count: int) -> list[str]:
    return list(dict.fromkeys(re.findall(r"[a-z]{3,}", text.lower())))[:count]


def test_the_answer_goes_another_way_at_the_word_and_not_before(tiny: Path, open_engine: Open) -> None:
    engine = open_engine(tiny)
    (plain,) = engine.generate(request())
    words = first_words(plain.text, 3)
    assert len(words) == 3
    answers = engine.generate(request(n=3, avoid=tuple((word,) for word in words)))
    for word, answer in zip(words, answers, strict=True):
        assert word not in re.findall(r"[^\W_]+", answer.text.lower())
        before = plain.text[: plain.text.lower().index(word)].rstrip()
        assert answer.text.startswith(before)


def test_drafts_change_nothing(tiny: Path, open_engine: Open) -> None:
    engine = open_engine(tiny)
    (plain,) = engine.generate(request())
    words = first_words(plain.text, 4)
    for temperature in (0.0, 1.0):
        options = {"n": 2, "avoid": (tuple(words[:1]), tuple(words)), "temperature": temperature}
        drafted = engine.generate(request(**options))
        undrafted = engine.generate(request(draft=False, **options))
        if temperature == 0:
            assert [answer.ids for answer in drafted] == [answer.ids for answer in undrafted]
        for answer in drafted:
            assert words[0] not in re.findall(r"[^\W_]+", answer.text.lower())


def test_candidates_that_do_not_fit_side_by_side_are_written_in_turn(tiny: Path, open_engine: Open) -> None:
    roomy, tight = open_engine(tiny), open_engine(tiny, context=256)
    (plain,) = roomy.generate(request())
    words = first_words(plain.text, 3)
    ask = request(n=4, avoid=((), *((word,) for word in words)), max_tokens=90)
    assert [a.ids for a in tight.generate(ask)] == [a.ids for a in roomy.generate(ask)]
    sampled = request(n=4, temperature=1.0, seed=2, max_tokens=90)
    assert [a.ids for a in tight.generate(sampled)] == [a.ids for a in roomy.generate(sampled)]
    assert tight.generate(request(PROMPT, n=1))[0].ids == plain.ids


def test_one_entry_for_each_candidate(tiny: Path, open_engine: Open) -> None:
    with pytest.raises(EngineError, match="avoid has 1 entries: n is 2"):
        open_engine(tiny).generate(request(n=2, avoid=(("cat",),)))
