from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from posi.posi_core.rewriter.splitting import PART_BYTES, split

texts = st.text(alphabet=st.characters(exclude_categories=()), max_size=400)
prose = st.lists(st.sampled_from(["cat", "a", "sea,", "house.", "\n", "  ", "日本", "😀"]), max_size=300).map(
    " ".join
)


@given(texts | prose, st.integers(4, 60))
@settings(max_examples=600, deadline=None)
def test_nothing_is_lost_and_every_part_fits(text: str, most: int) -> None:
    parts = split(text, most)
    assert "".join(part.before + part.text + part.after for part in parts) == (text if text.strip() else "")
    for part in parts:
        assert part.text == part.text.strip() != ""
        assert len(part.text.encode("utf-8", "surrogatepass")) <= most
        assert part.before.strip() == part.after.strip() == ""
    assert all(part.after == "" for part in parts[:-1])


def test_a_short_prompt_is_one_part() -> None:
    (part,) = split(" a cat by the sea \n")
    assert (part.before, part.text, part.after) == (" ", "a cat by the sea", " \n")


def test_cuts_are_at_sentences_then_commas_then_spaces() -> None:
    sentences = [part.text for part in split("A cat by the sea. An old dog in a house. A mat.", 30)]
    assert sentences == ["A cat by the sea.", "An old dog in a house. A mat."]
    commas = [part.text for part in split("a cat by the sea, an old dog in a house, a red mat", 30)]
    assert commas == ["a cat by the sea,", "an old dog in a house,", "a red mat"]
    words = [part.text for part in split("a cat by the sea and an old dog in a house", 20)]
    assert all(len(word) <= 20 for word in words)
    assert " ".join(words) == "a cat by the sea and an old dog in a house"
    assert [part.text for part in split("x" * 50, 20)] == ["x" * 20, "x" * 20, "x" * 10]


def test_a_part_and_its_answer_fit_the_context() -> None:
    tokens = PART_BYTES  # at worst one a byte
    assert 64 + tokens + tokens * 3 // 2 + 33 < 2048
