"""Changes of a rewrite are undone where a judge allows it and the rewriter's own opinion does not speak against."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from posi.posi_core.safe_prompt.reverting import MOST_CHANGES, Reversible, least_changed

ORIGINAL = "a bloody knight on a dark hill, oil painting by greg"
REWRITE = "a shining figure on a bright hill, art by greg"


def without(*banned: str) -> object:
    def judge(texts: Sequence[str]) -> list[float | None]:
        return [None if any(word in text for word in banned) else len(text) / 100 for text in texts]

    return judge


def test_each_change_is_undone_by_itself_or_with_others() -> None:
    both = Reversible(ORIGINAL, REWRITE)
    assert both.changes == 4
    assert both.without({0}) == "a bloody figure on a bright hill, art by greg"
    assert both.without({1, 3}) == "a shining knight on a bright hill, oil painting by greg"
    assert both.without(()) == REWRITE
    assert both.without({0, 1, 2, 3}) == ORIGINAL


def test_spaces_and_commas_fit_where_words_were_left_out_or_put_in() -> None:
    dropped = Reversible("a grim, bloody knife", "a knife")
    assert dropped.without({0}) == "a grim, bloody knife"
    added = Reversible("a knife", "a clean, shining knife")
    assert added.without({0}) == "a knife"
    last = Reversible("a knife dripping blood", "a knife")
    assert last.without({0}) == "a knife dripping blood"
    comma = Reversible("a hill, in blood, oil", "a hill, oil")
    assert comma.without({0}) == "a hill, in blood, oil"


def test_an_article_fits_the_word_that_it_comes_to_stand_before() -> None:
    both = Reversible("an angry man", "a respectful man")
    assert both.without({0}) == "a respectful man"
    assert both.without({1}) == "an angry man"
    assert both.without({0, 1}) == "an angry man"
    assert (
        Reversible("an hour, a old oak", "an hour, the tall elm").without({0, 1, 2}) == "an hour, a old oak"
    )


def test_changes_are_undone_together_as_far_as_the_judge_allows() -> None:
    texts = least_changed(ORIGINAL, REWRITE, ORIGINAL, without("bloody"))  # type: ignore[arg-type]
    assert texts[-1] == "a shining knight on a dark hill, oil painting by greg"
    assert not any("bloody" in text for text in texts)


def test_what_the_rewriter_changes_when_it_is_free_stays_changed() -> None:
    free = "a bloody knight on a sunny hill, oil painting by greg"
    texts = least_changed(ORIGINAL, REWRITE, free, without("bloody"))  # type: ignore[arg-type]
    assert texts[-1] == "a shining knight on a bright hill, oil painting by greg"
    assert not any("dark" in text for text in texts)


def test_a_text_that_is_another_one_altogether_is_left_alone() -> None:
    def never(texts: Sequence[str]) -> list[float | None]:
        raise AssertionError(texts)

    old = " ".join(f"a{n} x" for n in range(MOST_CHANGES + 1))
    new = " ".join(f"b{n} x" for n in range(MOST_CHANGES + 1))
    assert least_changed(old, new, None, never) == []
    assert least_changed(old, old, None, never) == []


WORDS = st.lists(st.sampled_from(["the", "red", "hill", ",", "sea.", "(old)", "of"]), max_size=12).map(
    " ".join
)


@given(WORDS, WORDS, st.data())
def test_undoing_gives_words_of_both_texts_alone(original: str, rewrite: str, data: st.DataObject) -> None:
    both = Reversible(original, rewrite)
    undone = data.draw(st.sets(st.integers(0, max(both.changes - 1, 0))))
    text = both.without(undone)
    assert set(re.findall(r"\w+", text)) <= set(re.findall(r"\w+", f"{original} {rewrite}"))
    assert re.findall(r"\w+", both.without(range(both.changes))) == re.findall(r"\w+", original)
    assert both.without(()) == rewrite
