"""Properties over generated prompts, measured against the hosts' rules in host_grammars."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Callable, Iterator

import pytest
from host_grammars import Reading, a1111, a1111_parts, comfyui
from hypothesis import given, settings
from hypothesis import strategies as st
from posi.posi_core.syntax import ParsedPrompt, SyntaxName, parse

SYNTAXES: tuple[SyntaxName, ...] = ("plain", "a1111", "comfyui")
WORDS = ("cat", "dog", "red", "blue", "a", "with", "gory", "hat", "naïve", "猫")
PIECES = (
    *"()[]|:{}\\,<>_$# \n\u200b\x00",
    ":1.2)",
    ":0.7)",
    ":0.5]",
    ":3",
    "::",
    "2$$",
    "<lora:foo:0.8>",
    " embedding:bar ",
    "__col/x__",
    "${v}",
    "${v=",
    " AND ",
    "BREAK",
    r"\(",
    r"\)",
    r"\[",
    "\ud800",
)
MANY = settings(max_examples=1500, deadline=None, derandomize=True)
SOME = settings(max_examples=600, deadline=None, derandomize=True)

pieces = st.sampled_from(WORDS + tuple(w + " " for w in WORDS) + PIECES)
prompts = st.lists(pieces, max_size=24).map("".join)
any_text = st.text(alphabet=st.characters(), max_size=60)  # lone surrogates included


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    some = st.lists(inner, min_size=1, max_size=3).map(" ".join)
    return st.one_of(
        st.builds("({})".format, some),
        st.builds("({}:{})".format, some, st.sampled_from(["1.3", "0.5", " 2 "])),
        st.builds("[{}]".format, some),
        st.builds("[{}|{}]".format, some, some),
        st.builds("[{}:{}:0.5]".format, some, some),
        st.builds("{{{}|{}}}".format, some, some),
    )


leaves = st.sampled_from([*WORDS, "<lora:foo:0.8>", "__col__", r"\(x\)", "cat,"])
well_formed = st.lists(
    st.one_of(st.recursive(leaves, nested, max_leaves=8), st.sampled_from(["AND", "BREAK", "embedding:bar"])),
    min_size=1,
    max_size=5,
).map(" ".join)
new_words = st.sampled_from(
    [
        "calm",
        "person",
        "kind of person",
        "(nice)",
        "<lora:evil:1>",
        "AND",
        "a|b",
        "{x|y}",
        "__w__",
        "16:9",
        ")",
        "embedding:z",
    ]
)


def spaceless(text: str) -> str:
    return re.sub(r"[\s,]+", "", text)


def tags(parsed: ParsedPrompt) -> list[str]:
    return sorted(re.findall(r"<lora:foo:0\.8>|embedding:bar|__col(?:/x)?__|\$\{v\}", parsed.text))


@given(text=st.one_of(any_text, prompts, well_formed), syntax=st.sampled_from(SYNTAXES))
@MANY
def test_nothing_changed_gives_the_same_bytes(text: str, syntax: SyntaxName) -> None:
    parsed = parse(text, syntax)
    assert parsed.restore([None] * len(parsed.segments)) == text
    assert parsed.restore(parsed.segments) == text
    assert "".join(cell.raw for cell in parsed.layout.cells) == text or syntax == "a1111"
    assert sorted("".join(cell.raw for cell in parsed.layout.cells)) == sorted(text)


@given(text=st.one_of(prompts, well_formed), syntax=st.sampled_from(["a1111", "comfyui"]))
@MANY
def test_the_model_sees_no_syntax(text: str, syntax: SyntaxName) -> None:
    parsed = parse(text, syntax)
    for segment in (*parsed.segments, *parsed.variants):
        assert "<lora:" not in segment
        assert "__col" not in segment
        assert "${v}" not in segment
        assert "\x00" not in segment
        assert "\u200b" not in segment
        assert "\ud800" not in segment
        if syntax == "a1111":
            assert not re.search(r"\b(AND|BREAK)\b", segment)
    assert all(parsed.segments)
    assert list(parsed.segments) == [" ".join(segment.split()) for segment in parsed.segments]


@given(text=prompts)
@MANY
def test_comfyui_reads_what_we_say_it_reads(text: str) -> None:
    text = re.sub(r"[{}|$_<>]|embedding:", "", text)  # what add-ons and the front end take out first
    shown = "".join(cell.shown for cell in parse(text, "comfyui").layout.cells)
    assert spaceless(shown) == spaceless(re.sub("[\u200b\x00\ud800]", "", comfyui(text).text))


@given(text=prompts)
@MANY
def test_a1111_reads_what_we_say_it_reads(text: str) -> None:
    text = re.sub(r"[{}|$_]|embedding:", "", text)
    parsed = parse(text, "a1111")
    if parsed.variants:
        return
    read = "".join(a1111(part).text for part in a1111_parts(text)).replace("BREAK", "")
    assert spaceless(parsed.flattened.replace("BREAK", "")) == spaceless(
        re.sub("[\u200b\x00\ud800]", "", read)
    )


@given(
    word=st.text(alphabet="abcdefghij", min_size=2, max_size=8),
    data=st.data(),
    syntax=st.sampled_from(["a1111", "comfyui"]),
)
@SOME
def test_a_word_split_by_attention_is_whole_in_the_flattened_text(
    word: str, data: st.DataObject, syntax: SyntaxName
) -> None:
    def split(part: str, depth: int) -> str:
        cut = data.draw(st.integers(0, len(part)))
        brackets = ["({})", "({}:1.3)", "(({}):0.9)", "{}"] + (["[{}]"] if syntax == "a1111" else [])
        wrap = data.draw(st.sampled_from(brackets))
        left, right = part[:cut], part[cut:]
        if depth == 0 or not left or not right:
            return wrap.format(part)
        return wrap.format(split(left, depth - 1)) + split(right, depth - 1)

    text = f"a {split(word, 3)} here"
    assert word in parse(text, syntax).flattened.split()


def readings(text: str, syntax: SyntaxName) -> list[Reading]:
    if syntax == "a1111":
        return [a1111(part) for part in a1111_parts(text)]
    return [comfyui(re.sub("<lora:[^>]*>", "", text))]


@given(text=st.one_of(prompts, well_formed), syntax=st.sampled_from(SYNTAXES), data=st.data())
@settings(MANY, max_examples=1000)
def test_a_rewrite_is_read_as_written_with_tags_kept_and_brackets_balanced(
    text: str, syntax: SyntaxName, data: st.DataObject
) -> None:
    parsed = parse(text, syntax)
    rewrites: list[str | None] = []
    for segment in parsed.segments:
        words: list[str] = []
        for word in segment.split():
            fate = data.draw(st.sampled_from(["keep", "keep", "drop", "replace", "add"]))
            words += {"keep": [word], "drop": []}.get(fate, [data.draw(new_words)])
            words += [word] if fate == "add" else []
        rewrites.append(data.draw(st.sampled_from([None, " ".join(words)])))
    out = parsed.restore(rewrites)
    again = parse(out, syntax)
    if syntax == "plain" or out == text:
        return
    assert tags(again) == tags(parsed)
    assert "evil" not in " ".join(again.networks)
    assert len(again.networks) == len(parsed.networks)
    assert all(reading.balanced for reading in readings(out, syntax))
    assert "w" not in again.layout.readable
    for segment, rewrite in zip(parsed.segments, rewrites, strict=True):
        if rewrite is None:
            assert spaceless(segment)[:3] in spaceless(again.flattened) or "|" in segment or ":" in segment


SLOW = {
    "open": "(" * 20_000,
    "close": ")" * 20_000,
    "deep": "(" * 10_000 + ")" * 10_000,
    "unclosed": "(a " * 5_000 + ")" * 4_999,
    "weights": "(1" * 4_000 + ":1)" * 4_000,
    "crossing": "([" * 5_000 + ")]" * 5_000,
    "bars": "a[" + "b|" * 9_990 + "]c",
    "choices": "a[b|c]" * 3_300,
    "nested choices": "a[b|" * 4_000 + "]" * 4_000,
    "braces": "{a|" * 6_600,
    "tags": "<a:" * 6_600,
    "underscores": "__a" * 6_600,
    "colons": ":" * 20_000,
    "spaces and colons": " :" * 10_000,
    "backslashes": "\\" * 20_000,
    "and": "AND " * 5_000,
    "break": "a BREAK " * 2_500,
    "embeddings": " embedding:a" * 1_600,
    "surrogates": "\ud800" * 20_000,
    "one word": "a" * 20_000,
    "same words": "word " * 4_000,
}


@pytest.fixture
def clock() -> Iterator[Callable[[], float]]:
    """Seconds of this thread alone: other tests' threads and their garbage are not the parser's time."""
    gc.collect()
    gc.disable()
    yield time.thread_time
    gc.enable()


@pytest.mark.parametrize("syntax", ["a1111", "comfyui"])
@pytest.mark.parametrize("name", SLOW)
def test_twenty_thousand_hostile_characters_take_under_a_second(
    name: str, syntax: SyntaxName, clock: Callable[[], float]
) -> None:
    text = SLOW[name]
    start = clock()
    parsed = parse(text, syntax)
    assert parsed.restore([None] * len(parsed.segments)) == text
    parsed.judged()
    assert clock() - start < 1.0


@pytest.mark.parametrize("name", SLOW)
def test_a_rewrite_of_hostile_text_does_not_run_away(name: str, clock: Callable[[], float]) -> None:
    parsed = parse(SLOW[name], "a1111")
    start = clock()
    parsed.restore(["a calm " + segment[:2000] for segment in parsed.segments])
    assert clock() - start < 3.0
