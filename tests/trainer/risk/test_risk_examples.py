from __future__ import annotations

from pathlib import Path

import pytest
from posi.posi_core.verdict import CATEGORIES
from posi.trainer.data.sources import load_source
from posi.trainer.data.split import is_held_out, text_key
from posi.trainer.risk.examples import (
    HEADS,
    TWIN_RISKY,
    benign_example,
    i2p_example,
    prompt_examples,
    risky_example,
    sentence_examples,
    split_validation,
    training_texts,
)
from posi.trainer.risk.templates import BENIGN, MOST_EACH, RISKY, short_sentences
from tiny_risk import write_tiny_sources


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sources(tmp_path_factory.mktemp("sources"))


def target(example: object, head: str) -> float:
    return example.targets[HEADS.index(head)]  # type: ignore[attr-defined,no-any-return]


def test_i2p_targets_are_the_measured_shares() -> None:
    row = {
        "prompt": "x",
        "categories": ["violence", "sexual"],
        "inappropriate_percentage": 60.0,
        "nudity_percentage": 70.0,
        "q16_percentage": 50.0,
    }
    example = i2p_example(row)
    assert target(example, "share") == target(example, "gate") == 0.6
    assert target(example, "violence") == 0.6
    assert target(example, "sexual") == 0.7
    assert target(example, "hate") == 0.0
    assert set(example.weights) == {1.0}


def test_a_risky_twin_says_little_of_other_categories() -> None:
    example = risky_example("x", "twins", "hate")
    weights = dict(zip(HEADS, example.weights, strict=True))
    assert target(example, "hate") == target(example, "share") == TWIN_RISKY
    assert weights["hate"] == 1.0
    assert weights["violence"] == 0.2
    assert weights["nudity"] == weights["q16"] == 0.0


def test_training_sees_nothing_held_out(source: Path) -> None:
    texts = training_texts(source)
    test = {text_key(row["prompt"]) for row in load_source(source, "posi_test")}
    seen = [row["prompt"] for row in texts.i2p] + [row["toxic"] for row in texts.twins]
    seen += texts.captions + texts.users
    assert seen
    assert not any(is_held_out(text) or text_key(text) in test for text in seen)


def test_validation_is_apart_and_an_eighth(source: Path) -> None:
    texts = training_texts(source)
    fit, kept = split_validation(texts)
    assert not {row["prompt"] for row in fit.i2p} & {row["prompt"] for row in kept.i2p}
    assert len(fit.users) + len(kept.users) == len(texts.users)
    everything = sum(map(len, (texts.i2p, texts.twins, texts.captions, texts.users)))
    part = sum(map(len, (kept.i2p, kept.twins, kept.captions, kept.users))) / everything
    assert 0.08 < part < 0.18


def test_users_get_a_part_of_what_their_words_predict(source: Path) -> None:
    texts = training_texts(source)
    rows = [
        row for row in prompt_examples(texts, [0.4] * len(texts.users), prior=0.5) if row.source == "user"
    ]
    assert len(rows) == len(texts.users)
    assert target(rows[0], "share") == pytest.approx(0.2)
    assert target(rows[0], "gate") < target(rows[0], "share")
    assert all(rows[0].weights[HEADS.index(name)] == 0 for name in CATEGORIES)


def test_pairs_are_thinned_evenly(source: Path) -> None:
    texts = training_texts(source)
    few = [row.text for row in sentence_examples(texts, pairs=20) if row.source == "twins"]
    every = [row.text for row in sentence_examples(texts) if row.source == "twins"]
    assert len(every) == 2 * len(texts.twins)
    assert 40 <= len(few) < 80
    assert few == [text for number, text in enumerate(every) if number // 2 % (len(texts.twins) // 20) == 0]


def test_harmless_rows_are_zero_everywhere() -> None:
    assert set(benign_example("x", "captions").targets) == {0.0}


def test_short_sentences_cover_every_category_and_repeat_exactly() -> None:
    rows = short_sentences()
    assert {category for _, category in rows} == {*CATEGORIES, ""}
    assert rows == short_sentences()
    assert rows != short_sentences(seed=1)
    assert len(rows) == 3 * (len(BENIGN) + sum(map(len, RISKY.values())))
    assert all("{" not in text for text, _ in rows)


def test_short_sentences_come_in_the_number_asked_for(source: Path) -> None:
    many = short_sentences(each=20)
    assert len({text for text, _ in many}) == len(many) == 20 * (len(BENIGN) + sum(map(len, RISKY.values())))
    assert len(short_sentences(each=MOST_EACH)) == MOST_EACH * len(many) // 20
    rows = [
        row for row in sentence_examples(training_texts(source), pairs=20, short=5) if row.source == "short"
    ]
    assert [row.text for row in rows] == [text for text, _ in short_sentences(each=5)]
