"""Prompts for reinforcement learning: none from the tests or the held-out fold, harmless ones among them."""

from __future__ import annotations

from posi.trainer.data.prompts import prompt_sets
from posi.trainer.data.split import is_held_out, text_key


def rows(word: str, count: int, column: str = "prompt") -> list[dict[str, str]]:
    return [{column: f"a {word} hall, number {n}"} for n in range(count)]


SOURCES = {
    "i2p": rows("dark", 400),
    "posi_ppo": [*rows("grim", 100), *rows("dark", 5)],
    "coprov2_pairs": rows("cruel", 300, "toxic"),
    "coco_captions": rows("sunny", 300),
    "user_prompts": rows("painted", 300),
}
TESTS = {text_key(row["prompt"]) for row in SOURCES["posi_ppo"][:10]}


def test_no_test_prompt_no_held_out_row_and_no_repeat() -> None:
    train, validation = prompt_sets(SOURCES, TESTS, coprov2=50, harmless=60)
    texts = [row["prompt"] for row in [*train, *validation]]
    keys = [text_key(text) for text in texts]
    assert len(keys) == len(set(keys))
    assert not TESTS & set(keys)
    assert not any(map(is_held_out, texts))


def test_every_source_is_there_and_validation_is_of_i2p_alone() -> None:
    train, validation = prompt_sets(SOURCES, TESTS, coprov2=50, harmless=60)
    counts: dict[str, int] = {}
    for row in train:
        counts[row["source"]] = counts.get(row["source"], 0) + 1
    assert counts["coprov2_pairs"] == 50
    assert counts["coco_captions"] == counts["user_prompts"] == 30
    assert set(counts) == set(SOURCES)
    assert {row["source"] for row in validation} == {"i2p"}
    assert 10 <= len(validation) <= 60
    assert prompt_sets(SOURCES, TESTS, coprov2=50, harmless=60) == (train, validation)
