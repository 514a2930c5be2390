"""Edits that a model repeats: found in its rewrites, read from its file, looked up in a prompt's tokens."""

from __future__ import annotations

from posi.posi_core.engine.edits import MOST_BYTES, Edits, Swap
from posi.trainer.export.edits import repeated_edits


def tokenize(text: str) -> list[int]:
    """A token for a lone letter, or for a space and the letter after it, as byte-pair vocabularies have them."""
    tokens = []
    for index, letter in enumerate(text):
        if letter != " ":
            spaced = index > 0 and text[index - 1] == " "
            tokens.append(ord(letter) + 1000 * spaced)
    return tokens


def starts(token: int) -> bool:
    return token >= 1000 or token == ord(",")


def find(edits: str, prompt: str) -> dict[int, Swap]:
    return Edits(edits, tokenize).find(tokenize(prompt), starts)


def test_words_are_found_with_the_place_where_the_prompt_goes_on() -> None:
    assert find("ab\tcd e", "x ab, y") == {1: Swap(tuple(tokenize(" cd e")), 3)}
    assert find("ab\t", "x ab y") == {1: Swap((), 3)}


def test_at_the_start_of_a_prompt_a_word_has_other_tokens() -> None:
    assert find("ab\tcd", "ab y") == {0: Swap(tuple(tokenize("cd")), 2)}


def test_parts_of_words_are_not_words() -> None:
    assert find("ab\tcd", "x abz yab") == {}


def test_the_longer_word_wins_and_broken_lines_are_left_out() -> None:
    found = find("ab\tq\nno tab\n\tempty\nabz\tr", "x abz")
    assert found == {1: Swap(tuple(tokenize(" r")), 4)}


def test_what_is_done_to_a_word_half_the_time_is_an_edit() -> None:
    pairs = [("a bloody sword, red", "a shiny sword, red")] * 3 + [("a bloody sword", "a bloody sword")] * 3
    assert repeated_edits(pairs) == "bloody\tshiny"
    assert repeated_edits([*pairs, ("so bloody", "so bloody")]) == ""
    assert repeated_edits(pairs[:2]) == ""


def test_words_that_are_left_out_are_edits_too() -> None:
    assert repeated_edits([("a very grim tower", "a very tower")] * 3) == "grim\t"


def test_the_most_frequent_edits_fit_the_metadata() -> None:
    pairs = [
        (f"the {'x' * 20}{chr(97 + i % 26)}{chr(97 + i // 26)}", "the b")
        for i in range(400)
        for _ in range(3)
    ]
    pairs += [("the dark", "the light")] * 9
    text = repeated_edits(pairs)
    assert len(text.encode()) <= MOST_BYTES
    assert text.splitlines()[0] == "dark\tlight"
