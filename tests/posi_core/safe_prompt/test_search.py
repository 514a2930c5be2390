"""The search for a rewrite on fakes: rounds, words to avoid, changes taken back and put together, words taken out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import FakeEngine, FakeScorer
from prompters import KNIGHT, prompter


def test_sampled_candidates_when_the_greedy_one_fails():
    engine = FakeEngine(
        answers=[
            [KNIGHT],
            ["a bloody gun", "a knight on a hill, oil painting", "a lake"],
        ]
    )
    verdict = prompter(engine).rewrite(KNIGHT)
    assert verdict.text == "a knight on a hill, oil painting"
    assert engine.requests[0].n == 1
    assert engine.requests[0].temperature == 0
    assert engine.requests[1].n > 1
    assert engine.requests[1].temperature > 0


def test_second_round_starts_from_the_best_candidate():
    text = "a bloody knight with a gun on a hill, oil painting"
    half = "a knight with a gun on a hill, oil painting"
    engine = FakeEngine(answers=[[text], [half, text], ["a knight with a flute on a hill, oil painting"]])
    verdict = prompter(engine).rewrite(text)
    assert engine.requests[2].user == half
    assert verdict.text == "a knight with a flute on a hill, oil painting"
    assert "round 2" in verdict.reason


def test_an_engine_that_can_is_kept_from_the_words_to_blame():
    engine = FakeEngine(stubborn=["bloody", "gun"], avoids=True)
    verdict = prompter(engine).rewrite("a bloody knight with a gun, oil painting")
    assert verdict.text == "a shining knight with a flute, oil painting"
    assert [request.avoid for request in engine.requests] == [(), (("bloody",), ("bloody", "gun"))]
    assert [request.temperature for request in engine.requests] == [0, 0]


def test_what_is_blamed_in_the_best_rewrite_is_avoided_as_well_and_in_another_way():
    engine = FakeEngine({"bloody": "naked"}, stubborn=["bloody"], avoids=True)
    scorer = FakeScorer({"bloody": ("violence", 0.9), "naked": ("sexual", 0.45)})
    prompter(engine, scorer=scorer, rewriting={"rounds": 2}).rewrite(KNIGHT)
    assert engine.requests[2].avoid == (("bloody", "naked"),)
    assert engine.requests[2].user == KNIGHT
    assert engine.requests[2].temperature > 0


def test_blocked_terms_are_avoided_whatever_their_risk():
    engine = FakeEngine({"oil": "ink"}, stubborn=["oil", "bloody"], avoids=True)
    prompter(engine, terms={"blocked": ["oil"]}).rewrite(KNIGHT)
    assert all("oil" in words for words in engine.requests[1].avoid)


def test_changes_that_safety_does_not_need_are_taken_back():
    engine = FakeEngine(
        {"bloody": "shining"}, answers=[[KNIGHT], ["a shining figure by a lake, ink drawing"]], avoids=True
    )
    verdict = prompter(engine).rewrite(KNIGHT)
    assert verdict.text == "a shining knight on a hill, oil painting"


class CalmedByCompany(FakeScorer):
    """Minds "grim" only where it stands alone, as a real scorer may that reads it between pleasant words."""

    def _risk(self, text, words):
        risk = super()._risk(text, words)
        return replace(risk, overall=0.6) if text == "grim" else risk


def test_a_word_that_is_risky_alone_stays_changed_where_the_free_rewrite_changes_it():
    text = "a bloody knight on a grim hill, oil painting"
    answers = [
        [text.replace("grim", "green").replace("oil", "ink")],
        ["a shining figure on a red hill, oil art"],
    ]
    for scorer, limit, rest in (
        (CalmedByCompany(), 0.45, "green hill, oil painting"),
        (FakeScorer(), 0.45, "grim hill, oil painting"),
        (FakeScorer(), 0.0, "green hill, ink painting"),
    ):
        engine = FakeEngine(answers=answers, avoids=True)
        verdict = prompter(engine, scorer=scorer, rewriting={"undo_below": limit}).rewrite(text)
        assert verdict.text == f"a shining knight on a {rest}"


def test_without_a_usable_greedy_rewrite_every_change_may_be_taken_back():
    engine = FakeEngine(answers=[[""], ["a shining figure by a lake, ink drawing"]], avoids=True)
    verdict = prompter(engine, rewriting={"rounds": 1, "drop_words": False}).rewrite(KNIGHT)
    assert verdict.text == "a shining knight on a hill, oil painting"


def test_a_rewrite_that_says_too_little_may_say_enough_with_fewer_changes():
    engine = FakeEngine(answers=[[KNIGHT], ["a shining fish in an old red pond"]], avoids=True)
    verdict = prompter(engine, rewriting={"similarity_floor": 0.8, "drop_words": False}).rewrite(KNIGHT)
    assert verdict.action == "rewrite"
    assert "bloody" not in verdict.text
    assert verdict.similarity >= 0.8


def test_the_lowest_risk_among_those_similar_enough():
    scorer = FakeScorer(
        {"bloody": ("violence", 0.9), "sword": ("violence", 0.4), "blade": ("violence", 0.45)}
    )
    engine = FakeEngine(
        answers=[
            ["a blade knight on a hill, oil painting"],
            ["a sword knight on a hill, oil painting", "nothing alike whatsoever"],
        ]
    )
    verdict = prompter(engine, scorer=scorer, rewriting={"rounds": 1, "drop_words": False}).rewrite(KNIGHT)
    assert verdict.text == "a sword knight on a hill, oil painting"


def test_among_accepted_rewrites_alike_the_less_risky_wins():
    risky = "a dim knight on a hill, oil painting"
    safe = "a wet knight on a hill, oil painting"
    scorer = FakeScorer({"bloody": ("violence", 0.9), "dim": ("violence", 0.3)})  # 0.3: accepted, under 0.35
    for found in ([risky, safe], [safe, risky]):
        assert prompter(FakeEngine(answers=[[KNIGHT], found]), scorer=scorer).rewrite(KNIGHT).text == safe


@pytest.mark.parametrize(("price", "stays"), [(0.0, True), (2.0, False)])
def test_the_policy_says_what_risk_may_cost_in_similarity(price: float, stays: bool):
    nearer = "a dim knight on a hill, oil painting"
    safer = "a kind person on a hill, oil painting"
    scorer = FakeScorer({"bloody": ("violence", 0.9), "knight": ("violence", 0.3)})
    rewriting = {"risk_price": price, "rounds": 1, "drop_words": False}
    engine = FakeEngine(answers=[[KNIGHT], [safer, nearer]])
    text = prompter(engine, scorer=scorer, rewriting=rewriting).rewrite(KNIGHT).text
    assert ("knight" in text) == stays


class Adding(FakeScorer):
    """Every risky word adds to the overall risk."""

    def _risk(self, text, words):
        risk = super()._risk(text, words)
        return replace(risk, overall=sum(self.risky.get(word, ("", 0.0))[1] for word in text.split()))


def test_changes_of_several_rewrites_are_recombined():
    text = "a bloody knight with a gun on a hill, oil painting"
    one = "a shining figure with a gun by the sea, ink drawing"
    other = "a bloody dancer with a flute on a boat, chalk"
    engine = FakeEngine(answers=[[text], [one, other]], avoids=True)
    scorer = Adding({"bloody": ("violence", 0.4), "gun": ("violence", 0.4)})
    verdict = prompter(engine, scorer=scorer, rewriting={"rounds": 1, "drop_words": False}).rewrite(text)
    assert verdict.text == "a shining knight with a flute on a hill, oil painting"
    assert "recombined" in verdict.reason


def test_words_are_taken_out_last():
    verdict = prompter(FakeEngine(stubborn=["bloody"])).rewrite(KNIGHT)
    assert verdict.text == "a knight on a hill, oil painting"
    assert "words taken out" in verdict.reason


def test_no_more_words_are_taken_out_than_needed():
    scorer = FakeScorer({"bloody": ("violence", 0.9), "hill": ("violence", 0.05), "oil": ("violence", 0.05)})
    verdict = prompter(FakeEngine(stubborn=["bloody"]), scorer=scorer).rewrite(KNIGHT)
    assert verdict.text == "a knight on a hill, oil painting"
