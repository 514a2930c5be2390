"""What each syntax hides from the model, shows to it, and turns a prompt into."""

from __future__ import annotations

import pytest
from posi.posi_core.errors import UsageError
from posi.posi_core.syntax import parse


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("a cat", ("a cat",)),
        ("a (red:1.3) ((big)) [small] cat", ("a red big small cat",)),
        ("<lora:foo:0.8> a cat, <hypernet:bar:1>, on a mat", ("a cat, on a mat",)),
        ("cat:1.2 AND dog :0.5", ("cat", "dog")),
        ("a cat BREAK a dog", ("a cat", "a dog")),
        ("(a cat BREAK a dog:1.2)", ("a cat", "a dog")),
        ("BANDANA ANDROID", ("BANDANA ANDROID",)),
        (r"a \(literal\) cat\\", ("a (literal) cat\\",)),
        (r"re\al", ("real",)),
        ("a ((unbalanced cat", ("a unbalanced cat",)),
        ("a cat) here]", ("a cat) here]",)),
        ("a [cat:dog:0.5] and [a hat:4] or [shoes::0.5]", ("a cat dog and a hat or shoes",)),
        ("a [cat|dog] here", ("a cat dog here",)),
        ("a {2$$red|0.5::blue} __animals/cats__ here", ("a red blue here",)),
        ("${mood=happy} a ${mood} cat", ("happy a cat",)),
        ("[a:b:c]", ("a:b:c",)),
        ("", ()),
        ("\x00\x01\u200b\ud800", ()),
        ("<lora:foo:1>", ()),
        ("a\u200bb\x07c \ud800d", ("abc d",)),
    ],
)
def test_what_the_model_sees_of_an_a1111_prompt(text: str, segments: tuple[str, ...]) -> None:
    assert parse(text, "a1111").segments == segments


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("a (red:1.3) ((big)) [small] cat", ("a red big [small] cat",)),
        ("cat AND dog BREAK bird", ("cat AND dog BREAK bird",)),
        ("embedding:foo, a cat, (embedding:bar.pt:1.2) here", ("a cat, here",)),
        ("xembedding:foo", ("xembedding:foo",)),
        ("<lora:foo:0.8> a <b:c> cat", ("a <b:c> cat",)),
        ("(a cat:not a number)", ("a cat:not a number",)),
        ("(16:9)", ("16",)),
        (r"a \(literal\) cat", ("a (literal) cat",)),
        ("a ((unbalanced cat", ("a ((unbalanced cat",)),
        ("(open (closed)", ("open (closed",)),
        (")a(b)", (")a(b)",)),
        ("{red|blue} cat", ("red blue cat",)),
    ],
)
def test_what_the_model_sees_of_a_comfyui_prompt(text: str, segments: tuple[str, ...]) -> None:
    assert parse(text, "comfyui").segments == segments


def test_plain_text_has_no_syntax() -> None:
    text = "a (red:1.3) <lora:foo:1> [cat|dog] AND embedding:x"
    parsed = parse(text)
    assert parsed.segments == (text,)
    assert parsed.networks == ()


def test_names_of_networks_and_embeddings() -> None:
    assert parse("<lora:foo bar:0.8> x <hypernet:baz:1>", "a1111").networks == ("foo bar", "baz")
    assert parse("<lora:foo:1>, embedding:bar, cat", "comfyui").networks == ("foo", "bar")


def test_text_inside_tags_that_a_host_may_read_is_judged() -> None:
    assert "a long sentence in a tag" in parse("<lora:a_long_sentence in a tag:1> cat", "comfyui").judged()
    assert "hair color red" in parse("__hair_color/red__ cat", "a1111").judged()


@pytest.mark.parametrize(
    "text", ["na[k|k]ed", "(na)(ked)", "na(k:1.1)ed", "n[a]ke[d:5]", "<lora:x:1>na<lora:y:1>ked"]
)
def test_words_split_by_syntax_are_judged_whole(text: str) -> None:
    assert any("naked" in judged for judged in parse(text, "a1111").judged())


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[fe|]male", "female"),
        ("n[x|a]k[e|y]d", "naked"),
        ("na[p|k]ed man", "naked"),
        ("[na:ba:0.5]ked", "naked"),
        ("{na|ba}ked", "naked"),
        ("na[k|[x|p]]ed", "naxed"),
    ],
)
def test_every_word_that_a_choice_can_make_is_in_the_flattened_text(text: str, word: str) -> None:
    parsed = parse(text, "a1111")
    assert word in parsed.flattened.split()
    assert word in " ".join(parsed.variants).split()


def test_variants_are_all_combinations_while_few() -> None:
    assert set(parse("a [red|blue] {cat|dog}", "a1111").variants) == {
        "a red cat",
        "a red dog",
        "a blue cat",
        "a blue dog",
    }


def test_variants_stay_bounded_and_show_every_option() -> None:
    text = " ".join(f"[{'|'.join(f'w{i}x{j}' for j in range(9))}]" for i in range(40))
    parsed = parse(text, "a1111")
    assert len(parsed.variants) <= 24
    shown = set(" ".join(parsed.judged()).split())
    assert {f"w{i}x{j}" for i in range(40) for j in range(9)} <= shown
    lockstep = set(" ".join(parsed.variants).split())
    assert {f"w{i}x{j}" for i in range(40) for j in range(9)} <= lockstep


def test_more_options_than_variants_are_still_judged() -> None:
    parsed = parse("a [" + "|".join(f"w{i}" for i in range(500)) + "]", "a1111")
    assert {f"w{i}" for i in range(500)} <= set(parsed.flattened.split())


def test_judged_has_no_duplicates_and_is_never_empty() -> None:
    assert parse("a cat", "a1111").judged() == ("a cat",)
    assert parse("\x00", "comfyui").judged() == ("",)
    parts = parse("cat AND dog", "a1111").judged()
    assert set(parts) == {"cat, dog", "cat", "dog"}


def test_unknown_syntax_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="plain, a1111, comfyui"):
        parse("x", "midjourney")  # type: ignore[arg-type]
