"""Disguises undone, and everything that is none left alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from posi.posi_core.normalize import lexicon, normalize, readings
from posi.posi_core.normalize.plausible import pack, plausibility

MANY = settings(max_examples=700, deadline=None, derandomize=True)


@pytest.mark.parametrize(
    "disguised",
    [
        "bl00dy",
        "b1oody",
        "b100dy",
        "bloooody",
        "b.l.o.o.d.y",
        "b l o o d y",
        "b-l-o-o-d-y",
        "b_l_o_o_d_y",
        "b,l,o,o,d,y",
        "b - l - o - o - d - y",
        "b🔥l🔥o🔥o🔥d🔥y",
        "blo\u200body",
        "b\x00lood\x07y",
        "bl\u2060oo\u00addy",
        "\ud800bloody",
        "blооdу",  # Cyrillic о, у
        "blοοdy",  # Greek ο
        "ｂｌｏｏｄｙ",
        "𝓫𝓵𝓸𝓸𝓭𝔂",
        "ⓑⓛⓞⓞⓓⓨ",
        "ʙʟᴏᴏᴅʏ",
        "b̶l̶o̶o̶d̶y̶",
        "b̷̛͓̺l̵͖̔͝ǫ̷͔͂o̷̭͋d̴̮͐̚y̵̹͝",
        "blo(o)dy",
        "bl(oo:1.2)dy",
        "blo[o|x]dy",
        "bl\\oody",
        "bloo.dy",
        "bl0оdy",  # leet and Cyrillic
        "b l 0 0 d y",
    ],
)
def test_a_disguised_word_is_read(disguised: str) -> None:
    assert any("bloody" in reading.lower() for reading in readings(f"a {disguised} knife"))


@pytest.mark.parametrize(
    ("disguised", "word"),
    [
        ("su1c1d3", "suicide"),
        ("k1ll", "kill"),
        ("kiII", "kill"),
        ("v1olence", "violence"),
        ("h@te", "hate"),
        ("k|ll", "kill"),
        ("5uicide", "suicide"),
        ("w3ap0n", "weapon"),
        ("k*lled", "killed"),
        ("kkiilllleedd", "killed"),
        ("corpsssse", "corpse"),
    ],
)
def test_leet_stars_and_stretched_letters(disguised: str, word: str) -> None:
    assert any(word in reading for reading in readings(disguised)[1:])


@pytest.mark.parametrize(
    "text",
    [
        "a cat in 4k, 8 k resolution, f/1.8, 50mm, 3d, 2b, mp3, 16:9, 1920x1080, 3/4 view",
        "1girl, 2girls, 1boy, 3people, 4ever, 90s, 1980s, 19th century, 18mm, 24fps, 300dpi",
        "r2d2 and bb8, gpt4, ps5, rtx3090, iphone14pro, canon5d, boeing747, h264, sd1.5, mk2",
        "café señor müller naïve Ångström Dvořák Łódź smørrebrød Đorđe",
        "Привет мир, красивый закат",
        "ελληνικό κείμενο",
        "日本語のテキスト、tシャツ、美しい夕日",
        "한국어 텍스트 हिन्दी पाठ العربية ภาษาไทย",
        "một bức tranh phong cảnh tuyệt đẹp",
        "louis xiv, chapter viii, XXL, www, hmmm, zzz",
        "half-naked truth, t-shirt, state-of-the-art, artstation.com, e.g. trees",
        "J. R. R. Tolkien, A, B, C, D and so on; $100, 50%, #1",
        "long_hair, blue_eyes, looking_at_viewer",
        "a (red:1.3) [cat|dog] <lora:foo:1>, (masterpiece), word(s)",
        "👩‍👩‍👧 🇫🇷 🇩🇪 ❤ ☀",
        "",
    ],
)
def test_what_is_no_disguise_has_few_readings_and_keeps_its_words(text: str) -> None:
    visible = text.replace("\u200d", "")
    assert all(reading in (text, visible) for reading in readings(text))


def test_a_foreign_word_in_an_english_text_stays() -> None:
    for text in ("a matryoshka doll, матрёшка, on a shelf", "the word мир on a wall", "πλατεία at night"):
        assert readings(text) == (text,)


def test_offsets_point_at_the_original() -> None:
    normalized = normalize("x b.l.o.o.d.y su1c1d3")
    assert normalized.text == "x bloody suicide"
    for word, start in (("bloody", 2), ("suicide", 14)):
        at = normalized.text.index(word)
        assert normalized.offsets[at] == start
    assert normalized.offsets[normalized.text.index("y")] == 12


disguises = st.lists(
    st.one_of(
        st.characters(),
        st.sampled_from(
            [*"ab013@$!*.-_ ()[]|:", "\u200b", "\u0336", "о", "ｎ", "n.a.k", "aaa", "(a:1.2)b", "🇩"]
        ),
    ),
    max_size=40,
).map("".join)


@given(text=disguises)
@MANY
def test_offsets_never_decrease_and_lie_in_the_text(text: str) -> None:
    normalized = normalize(text)
    assert len(normalized.offsets) == len(normalized.text)
    assert list(normalized.offsets) == sorted(normalized.offsets)
    assert all(0 <= offset < len(text) for offset in normalized.offsets)


@given(text=disguises)
@MANY
def test_readings_are_few_distinct_and_encodable(text: str) -> None:
    forms = readings(text)
    assert 1 <= len(forms) <= 3
    assert len(set(forms)) == len(forms)
    assert forms[0] == text or max(text) > "\ud7ff"
    for form in forms:
        form.encode("utf-8")


@given(
    text=st.lists(st.sampled_from(["a", "red", "cat", "with", "hat,", "on", "wall."]), max_size=20).map(
        " ".join
    )
)
@MANY
def test_plain_words_have_one_reading(text: str) -> None:
    assert readings(text) == (text,)


@pytest.mark.parametrize(
    "text",
    [
        "a " * 10_000,
        "a." * 10_000,
        "1a" * 10_000,
        "[a|" * 6_000,
        "a" * 20_000,
        "о" * 20_000,
        "a\u0336" * 10_000,
        "(" * 20_000,
        "a(b" * 6_000,
        ":1" * 10_000,
        "a.b" * 6_000,
        "1a1 " * 5_000,
        "*a* " * 5_000,
        "\u200b" * 20_000,
    ],
    ids=lambda text: ascii(text[:3]),
)
def test_twenty_thousand_hostile_characters_take_under_two_seconds(text: str) -> None:
    start = time.thread_time()
    readings(text)
    assert time.thread_time() - start < 2.0


def test_the_triples_tell_words_from_noise() -> None:
    for word, noise in (
        ("blood", "biood"),
        ("violence", "vlolence"),
        ("nude", "nuude"),
        ("pistol", "plstol"),
    ):
        assert plausibility(word) > 0 > plausibility(noise)
    assert plausibility("") < 0
    assert plausibility("ñandú") < 0


def test_a_table_is_packed_from_counts() -> None:
    assert pack({"cat": 3}) == pack({"cat": 3}) != pack({"dog": 3})


def test_spelled_out_words_in_a_row_are_told_apart() -> None:
    assert readings("a b l o o d y k n i f e on a table")[1] == "a bloody knife on a table"
    assert lexicon.split_words("theknifeonthetable") == ["the", "knife", "on", "the", "table"]
    assert "".join(lexicon.split_words("x" * 1000)) == "x" * 1000
    assert lexicon.split_words("") == []


def test_the_word_table_is_packed_from_counts() -> None:
    assert lexicon.pack({"cat": 3, "a": 9}) == lexicon.pack({"a": 9, "cat": 3}) != lexicon.pack({"cat": 3})
    assert lexicon.known("table")
    assert not lexicon.known("tbale")
