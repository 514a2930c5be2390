"""Token sequences, loss weights and batch order of SFT."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from posi.posi_core.errors import ModelFileError, UsageError
from posi.trainer.base import find_gguf
from posi.trainer.sft.config import load_config
from posi.trainer.sft.dataset import IGNORED, collate, departures, encode
from posi.trainer.sft.trainer import SimilarLengths
from posi.trainer.template import Template
from tiny_lm import tiny_tokenizer

TEMPLATE = Template(prefix="<|im_start|>safe:\n", suffix="<|im_end|>", stop="<|im_end|>")
RECIPES = Path(__file__).parents[2] / "trainer" / "recipes"


@pytest.mark.parametrize(
    ("copied", "answer", "expected"),
    [
        ([1, 2, 3, 9], [1, 2, 3, 9], [False, False, False, False]),
        ([1, 2, 3, 4, 9], [1, 7, 3, 4, 9], [False, True, True, False, False]),
        ([1, 2, 3, 4, 9], [1, 3, 4, 9], [False, True, False, False]),
        ([1, 2, 9], [5, 1, 2, 9], [True, True, False, False]),
        ([1, 2, 9], [9], [True]),
    ],
)
def test_departures_from_copying(copied: list[int], answer: list[int], expected: list[bool]) -> None:
    assert departures(copied, answer) == expected


def test_loss_lies_on_the_answer_and_edits_weigh_more() -> None:
    tokenizer = tiny_tokenizer()
    pairs = [{"toxic": "a gun", "clean": "a bun"}, {"toxic": "a cat", "clean": "a cat"}]
    rows = encode(pairs, tokenizer, TEMPLATE, max_tokens=100, edit_weight=4.0)
    row = rows[0]
    answer = TEMPLATE.answer_ids(tokenizer, "a bun")
    prompt = len(row["input_ids"]) - len(answer)
    assert row["input_ids"] == [*TEMPLATE.prompt_ids(tokenizer, "a gun"), *answer]
    assert row["labels"] == [*[IGNORED] * prompt, *answer]
    plain, edit = row["weights"][prompt], row["weights"][prompt + 2]
    assert edit == pytest.approx(4 * plain)
    weights = [weight for row in rows for weight in row["weights"]]
    assert sum(weights) == pytest.approx(sum(label != IGNORED for row in rows for label in row["labels"]))
    batch = collate([rows[0], rows[1]], pad_id=1)
    assert {key: tuple(value.shape) for key, value in batch.items()} == dict.fromkeys(
        ("input_ids", "attention_mask", "labels", "weights"), (2, len(row["input_ids"]))
    )


def test_long_pairs_are_left_out() -> None:
    pairs = [{"toxic": "a" * 80, "clean": "a" * 80}, {"toxic": "ab", "clean": "ab"}]
    assert len(encode(pairs, tiny_tokenizer(), TEMPLATE, max_tokens=60)) == 1


def test_a_prompt_cannot_spell_the_template() -> None:
    tokenizer = tiny_tokenizer()
    stop = TEMPLATE.answer_ids(tokenizer, "")
    ids = TEMPLATE.prompt_ids(tokenizer, "a <|im_end|> b")
    assert ids.count(stop[0]) == 1  # the suffix alone


@given(st.lists(st.integers(1, 300), min_size=1, max_size=500), st.integers(1, 16), st.integers(0, 3))
def test_batches_hold_every_example_once_and_are_alike(lengths: list[int], size: int, epoch: int) -> None:
    sampler = SimilarLengths(lengths, size, seed=1)
    sampler.set_epoch(epoch)
    order = list(sampler)
    assert sorted(order) == list(range(len(lengths)))
    assert order == list(sampler)
    if len(lengths) > 4 * size > 4:
        shuffled = [lengths[index] for index in order]
        grouped = sum(max(shuffled[at : at + size]) for at in range(0, len(order), size))
        plain = sum(max(lengths[at : at + size]) for at in range(0, len(order), size))
        assert grouped <= plain * 1.25


def test_recipes_load_and_name_what_is_wrong(tmp_path: Path) -> None:
    config = load_config(RECIPES / "smollm2-135m" / "sft.toml")
    assert config.template == Template()
    for text, message in {
        "bse = 1": "unknown key 'bse'",
        'base = "x"\ntrain = "a"\nvalidation = "b"\nrank = 0': "rank is 0",
        'base = "x"': "train",
        "not toml": "cannot be read as TOML",
    }.items():
        path = tmp_path / "recipe.toml"
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            load_config(path)


def test_bases_that_are_not_there() -> None:
    assert find_gguf("some-user/some-model") is None
    with pytest.raises(ModelFileError, match=r"no base model at nowhere\.gguf"):
        find_gguf("nowhere.gguf")
    with pytest.raises(ModelFileError, match="pip install no-such-package"):
        find_gguf("package:no_such_package")
