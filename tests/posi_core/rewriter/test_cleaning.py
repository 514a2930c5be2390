from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from posi.posi_core.rewriter.cleaning import clean, same_edges, without_runaway

ORIGINAL = "a sad wizard in a dark tower, oil painting"
REWRITE = "a calm wizard in a bright tower, oil painting"


def cleaned(answer: str, original: str = ORIGINAL, *, finished: bool = True) -> str | None:
    return clean(answer, original, finished=finished)


def test_a_good_answer_stays() -> None:
    for answer in (REWRITE, f"  {REWRITE}\n", ORIGINAL):
        assert cleaned(answer) == answer.strip()


@pytest.mark.parametrize(
    "answer",
    [
        f"Sure! {REWRITE}",
        f"Sure, here is the safe version: {REWRITE}",
        f"Here's a safe prompt for you: {REWRITE}",
        f"Safe prompt: {REWRITE}",
        f"Rewritten image prompt: {REWRITE}",
        f"assistant: {REWRITE}",
        f'"{REWRITE}"',
        f"“{REWRITE}”",
        f'Sure, here it is:\n"{REWRITE}"',
        f"<|im_start|>{REWRITE}<|im_end|>",
        f"{REWRITE}</s>",
        f"[INST] {REWRITE} [/INST]",
        f"{REWRITE}\n\nThis version replaces the sad mood with a calm one.",
        f"{REWRITE}\u200b\x07",
    ],
)
def test_what_is_around_it_goes(answer: str) -> None:
    assert cleaned(answer) == REWRITE


def test_what_the_original_has_too_stays() -> None:
    quoted = '"the cat" by the sea'
    assert cleaned(quoted, quoted) == quoted
    assert cleaned('"a cat"', '"a dog"') == '"a cat"'
    lines = "a cat,\na dog"
    assert cleaned(lines, lines) == lines
    prompt = "prompt: a cat"
    assert cleaned(prompt, prompt) == prompt
    ok = "ok hand sign: a cat"
    assert cleaned(ok, ok) == ok


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "  \n ",
        "<|im_end|>",
        "Sure! ",
        "I'm sorry, but I cannot help with that.",
        "I cannot rewrite this.",
        "As an AI, I do not do that.",
        "спокойный волшебник в светлой башне",
        "明るい塔の魔法使い",
        f"{REWRITE} \ufffd",
    ],
)
def test_no_rewrite(answer: str) -> None:
    assert cleaned(answer) is None


def test_another_language_may_stay_what_it_is() -> None:
    russian = "грустный волшебник в тёмной башне"
    assert cleaned("спокойный волшебник в светлой башне", russian) is not None
    assert cleaned("a calm wizard", russian) is None
    assert cleaned("café, señor, Zdzisław", ORIGINAL) is not None
    assert cleaned("a cat", "🙂🙂 123") == "cat"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (f"{REWRITE}, calm, calm, calm, calm, calm", f"{REWRITE}, calm"),
        (
            f"{REWRITE} the cat by the sea the cat by the sea the cat by the sea",
            f"{REWRITE} the cat by the sea",
        ),
        (f"{REWRITE} !!!!!!!!!!!!!!!!!!!!!!", REWRITE),
        (f"{REWRITE}.....................................", REWRITE),
        (f"{REWRITE}ababababababababababab", REWRITE),
    ],
)
def test_a_runaway_ending_goes(answer: str, says: str) -> None:
    for finished in (True, False):
        assert cleaned(answer, finished=finished) == says


def test_what_the_original_repeats_is_no_runaway() -> None:
    original = "dog, dog, dog, dog, dog"
    assert cleaned(original, original) == original
    assert cleaned("cat, cat, cat, cat, cat", original) == "cat, cat, cat, cat, cat"
    assert cleaned("cat " * 8, original) == "cat"


def test_an_answer_that_was_cut_off_is_none() -> None:
    assert cleaned(REWRITE, finished=False) is None


@given(st.text(max_size=200), st.text(max_size=200), st.booleans())
def test_it_never_raises_and_is_settled(answer: str, original: str, finished: bool) -> None:
    text = clean(answer, original, finished=finished)
    if text is not None:
        assert text == text.strip() != ""
        assert len(text.rstrip(" .,;:!?…")) <= len(answer)
        assert "<|im_end|>" not in text


@given(st.text(alphabet="ab ,.", max_size=80))
def test_a_shortened_text_begins_as_it_did(text: str) -> None:
    assert text.startswith(without_runaway(text, ""))


@pytest.mark.parametrize(
    ("text", "original", "expected"),
    [
        ("a cat.", "a cat", "a cat"),
        ("a dog", "a cat.", "a dog."),
        ("a dog.", "a cat,", "a dog,"),
        ("a dog!", "a cat !!! ", "a dog !!!"),
        ("a dog by robert downey jr.", "a cat by robert downey jr.", "a dog by robert downey jr."),
        ("...", "a cat", ""),
        ("", "a cat!", ""),
        (" : ", ":", ""),
        ("a colorful comic strip", "Simple comic strip", "colorful comic strip"),
        ("A black cat sleeps", "Black cat bites", "Black cat sleeps"),
        ("the tatsuki fujimoto portrait", "tatsuki fujimoto portrait", "tatsuki fujimoto portrait"),
        ("An old knight", "a bloody knight", "An old knight"),
        ("another knight", "bloody knight", "another knight"),
        ("a", "b", "a"),
        ("İstanbul at noon", "i̇stanbul at night", "i̇stanbul at noon"),
    ],
)
def test_the_edges_are_the_original_s(text: str, original: str, expected: str) -> None:
    assert same_edges(text, original) == expected
    assert clean(text, original, finished=True) == (expected or None)
