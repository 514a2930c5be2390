"""A rewrite put back: what stays, what moves, what cannot get in."""

from __future__ import annotations

import re

import pytest
from host_grammars import a1111, comfyui
from posi.posi_core.errors import UsageError
from posi.posi_core.syntax import SyntaxName, parse


def rewritten(text: str, *rewrites: str | None, syntax: SyntaxName = "a1111") -> str:
    return parse(text, syntax).restore(rewrites)


@pytest.mark.parametrize(
    ("text", "rewrite", "result"),
    [
        (
            "a (bloody knight:1.3), <lora:foo:0.8> dusk",
            "a shining knight, dusk",
            "a (shining knight:1.3), <lora:foo:0.8> dusk",
        ),
        ("a (bloody:1.3) knight, dusk", "a knight, dusk", "a knight, dusk"),
        ("a bloody (corpse:1.3) lying", "a knight lying", "a (knight:1.3) lying"),
        ("a (cat:1.2) (dog:1.1)", "a happy cat and a sleepy dog", "a happy (cat:1.2) and a sleepy (dog:1.1)"),
        ("blo[o|o]dy man", "calm man", "calm man"),
        ("[fe|]male, (((gory:1.2)))", "female male, calm", "[fe|]male, (((calm:1.2)))"),
        ("x [red|gory|blue] y", "x red blue y", "x [red||blue] y"),
        ("x {red|gory} y", "x y", "x y"),
        ("a [cat:gory dog:0.5] y", "a cat dog y", "a [cat:dog:0.5] y"),
        ("gore AND a cat :1.2", "", " a cat :1.2"),
        ("a ((gory) cat", "a nice cat", "a ((nice) cat)"),
        (r"gory \(film\) still", "calm (film) still", r"calm \(film\) still"),
    ],
)
def test_structure_stays_around_the_words(text: str, rewrite: str, result: str) -> None:
    parsed = parse(text, "a1111")
    assert parsed.restore([rewrite, *[None] * (len(parsed.segments) - 1)]) == result


def test_comfyui_embeddings_and_networks_stay_in_place() -> None:
    text = "(gory, embedding:foo, <lora:x:1>:1.2) cat"
    assert rewritten(text, "calm, cat", syntax="comfyui") == "(calm, embedding:foo, <lora:x:1>:1.2) cat"
    assert rewritten(text, "cat", syntax="comfyui") == "embedding:foo <lora:x:1> cat"


def test_weights_of_words_that_stay_and_of_replacements() -> None:
    out = rewritten("a (gory (knight:1.2) scene:1.5) at [dawn]", "a calm knight scene at dusk")
    assert a1111(out).weight_of("calm") == pytest.approx(1.5)
    assert a1111(out).weight_of("knight") == pytest.approx(1.8)
    assert a1111(out).weight_of("dusk") == pytest.approx(1 / 1.1)
    out = rewritten("a (gory (knight:1.2) scene:1.5)", "a calm knight scene", syntax="comfyui")
    assert comfyui(out).weight_of("calm") == pytest.approx(1.5)
    assert comfyui(out).weight_of("knight") == pytest.approx(1.2)


@pytest.mark.parametrize("syntax", ["a1111", "comfyui"])
@pytest.mark.parametrize(
    "attack",
    [
        "<lora:evil:1>",
        "embedding:evil",
        "Embedding: evil",
        "__evil__",
        "(evil:1.9)",
        "((((evil",
        "evil))))",
        "[evil|good]",
        "[evil:good:0.5]",
        "{evil|good}",
        "${evil=1}",
        "evil :1.9",
        "evil AND good",
        "evil BREAK good",
        "evil\\",
        "evil # comment",
    ],
)
def test_a_rewrite_cannot_write_syntax(syntax: SyntaxName, attack: str) -> None:
    text = "a (gory:1.2) cat, <lora:mine:1>"
    out = rewritten(text, f"a {attack} cat,", syntax=syntax)
    again = parse(out, syntax)
    assert again.networks == ("mine",)
    assert len(again.segments) == 1
    assert not again.variants
    seen = re.sub("<lora[^>]*>", "", out)
    reading = a1111(seen) if syntax == "a1111" else comfyui(seen)
    assert reading.balanced
    assert {round(weight, 3) for _, weight in reading.runs} <= {1.0, 1.2}
    assert "__" not in out
    assert "#" not in out
    assert "{" not in out


def test_literal_brackets_of_a_rewrite_are_escaped_for_the_host() -> None:
    assert rewritten("a gory film", "a calm film (1994)") == r"a calm film \(1994\)"
    assert rewritten("a gory film", "a calm [x] film") == r"a calm \[x\] film"
    assert rewritten("a gory film", "a calm [x] film", syntax="comfyui") == "a calm [x] film"
    assert rewritten("a gory film", "a calm (x) film", syntax="plain") == "a calm (x) film"


def test_a_segment_given_back_unchanged_changes_nothing() -> None:
    text = " ((a  cat,\n<lora:x:1> , [b|c]d AND e:1.2"
    parsed = parse(text, "a1111")
    assert parsed.restore(parsed.segments) == text


def test_unpaired_brackets_are_balanced_once_something_changes() -> None:
    assert rewritten("a) gory [cat (here", "a) calm cat here") == r"a\) calm [cat (here)]"
    assert comfyui(rewritten("a) gory ((cat)", "a) calm ((cat", syntax="comfyui")).balanced


def test_brackets_that_no_rewrite_can_keep_are_flattened_with_the_networks() -> None:
    text = r"gory\(BREAK(cat${v}: <lora:foo:0.8> dog, BREAK]"
    parsed = parse(text, "a1111")
    out = parsed.restore(["", "cat: a calm dog", "bird"])
    again = parse(out, "a1111")
    assert again.networks == ("foo",)
    assert "calm dog" in again.flattened
    assert "gory" not in again.flattened
    assert all(a1111(part).balanced for part in re.split(r"\bAND\b", out.replace("<lora:foo:0.8>", "")))


def test_a_silent_chunk_takes_its_separator_along() -> None:
    assert rewritten("a cat AND gore :1.2 AND a dog", None, "", None) == "a cat AND a dog"
    assert parse(rewritten("a BREAK gore BREAK b", None, "", None), "a1111").segments == ("a", "b")


def test_control_characters_never_come_out_of_a_rewrite() -> None:
    assert rewritten("a gory cat", "a ca\x00lm\u200b \ud800cat") == "a calm cat"


def test_one_rewrite_for_each_segment() -> None:
    with pytest.raises(UsageError, match="1 rewrites for 2 segments"):
        parse("a AND b", "a1111").restore(["x"])
