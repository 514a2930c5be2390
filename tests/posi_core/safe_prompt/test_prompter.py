"""The life of one prompt on fakes: pass, rewrite, verify, retry, block, remember."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import LIMITS, FakeEncoder, FakeEngine, FakeScorer
from posi.posi_core.cache import Cache
from posi.posi_core.errors import BlockedError, CancelledError, UsageError
from posi.posi_core.policy import policy_from_mapping
from posi.posi_core.safe_prompt import SafePrompter, verdict_or_raise

KNIGHT = "a bloody knight on a hill, oil painting"


def prompter(engine=None, *, scorer=None, policy="standard", cache=False, **rules):
    return SafePrompter(
        policy_from_mapping({"base": policy, **LIMITS, **rules}),
        engine=engine or FakeEngine(),
        scorer=scorer or FakeScorer(),
        encoder=FakeEncoder(),
        cache=cache,
    )


@pytest.mark.parametrize(
    "text", ["a calm lake", "  two  spaces\n\ttab ", "", "   ", "\x00\x01\x02", "\ud800", "日本の湖"]
)
def test_harmless_prompts_come_back_byte_for_byte(text):
    engine = FakeEngine()
    verdict = prompter(engine).rewrite(text)
    assert verdict.action == "pass"
    assert verdict.text == text
    assert not verdict.changed
    assert engine.requests == []


def test_risky_words_are_rewritten_and_verified():
    verdict = prompter().rewrite(KNIGHT)
    assert verdict.action == "rewrite"
    assert verdict.text == "a shining knight on a hill, oil painting"
    assert verdict.risk_before.categories["violence"] == 0.9
    assert verdict.risk_after.categories["violence"] < 0.1
    assert [(change.before, change.after) for change in verdict.changes] == [("bloody", "shining")]
    assert 0.8 < verdict.similarity <= 1
    assert "violence 0.90" in verdict.reason
    assert "fake-engine" in verdict.model
    assert "fake-scorer" in verdict.model
    assert verdict.policy.startswith("custom-")


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


def test_what_cannot_be_made_safe_is_blocked():
    engine = FakeEngine(stubborn=["bloody", "gun"])
    verdict = prompter(engine, rewriting={"drop_words": False}).rewrite("bloody gun on a table")
    assert verdict.action == "block"
    assert verdict.text == ""
    assert "No rewrite is under the limits" in verdict.reason


def test_what_no_longer_says_the_same_is_blocked():
    engine = FakeEngine(answers=[["quiet meadow"]] * 3)
    verdict = prompter(engine, rewriting={"drop_words": False}).rewrite(KNIGHT)
    assert verdict.action == "block"
    assert "similarity" in verdict.reason


def test_block_texts_follow_the_policy():
    table = {"drop_words": False, "rounds": 0}
    engine = FakeEngine(stubborn=["bloody"])
    replaced = prompter(
        engine, rewriting=table, block={"on_block": "replace", "replacement": "a pond"}
    ).rewrite("bloody")
    assert (replaced.action, replaced.text) == ("block", "a pond")
    raising = prompter(engine, rewriting=table, block={"on_block": "raise"})
    verdict = raising.rewrite("bloody")
    assert (verdict.action, verdict.text) == ("block", "")
    with pytest.raises(BlockedError, match="violence"):
        verdict_or_raise(verdict, raising.policy)


def test_sexual_content_with_minors_is_never_rewritten():
    off = dict.fromkeys(("overall", "sexual", "violence", "hate", "harassment", "self-harm", "shocking"), 1.0)
    engine = FakeEngine()
    for rules in ({}, {"thresholds": off, "accept": off}, {"terms": {"allowed": ["teenager", "naked"]}}):
        verdict = prompter(engine, **rules).rewrite("naked teenager")
        assert verdict.action == "block"
        assert "every policy" in verdict.reason
        assert verdict.text == ""
    assert prompter(engine).rewrite("naked teenager", bare=True).action == "block"
    assert engine.requests == []


def test_a_rewrite_may_not_bring_in_minors():
    engine = FakeEngine(answers=[["a nude child on a hill, oil painting"]] * 3)
    verdict = prompter(engine, rewriting={"drop_words": False}).rewrite(KNIGHT)
    assert not {"nude", "child"} <= set(verdict.text.split())


def test_blocked_terms_go_and_allowed_terms_stay():
    engine = FakeEngine({"dragon": "lizard"})
    verdict = prompter(engine, terms={"blocked": ["dragon"]}).rewrite("a dragon on a hill")
    assert verdict.text == "a lizard on a hill"
    verdict = prompter(FakeEngine({}), terms={"blocked": ["dragon"]}).rewrite(
        "a dragon on a hill, oil, sunset"
    )
    assert verdict.text == "a hill, oil, sunset"
    assert prompter(terms={"allowed": ["bloody knight"]}).rewrite(KNIGHT).action == "pass"


def test_only_the_risky_and_part_is_rewritten():
    engine = FakeEngine()
    text = "a  calm lake AND (a bloody knight:1.2)"
    verdict = prompter(engine).rewrite(text, syntax="a1111")
    assert [request.user for request in engine.requests] == ["a bloody knight"]
    assert verdict.text.startswith("a  calm lake AND ")
    assert "shining" in verdict.text


def test_network_tags_survive_and_are_judged():
    engine = FakeEngine()
    verdict = prompter(engine).rewrite("<lora:oil_v2:0.8> a bloody knight", syntax="a1111")
    assert "<lora:oil_v2:0.8>" in verdict.text
    assert "lora" not in engine.requests[0].user
    for rules in ({}, {"networks": {"blocked": ["*naked*"]}}, {"networks": {"only_allowed": True}}):
        verdict = prompter(**rules).rewrite("<lora:naked_v2:1> a calm lake", syntax="a1111")
        assert verdict.action == "block"
    allowed = prompter(networks={"allowed": ["naked_v2"]})
    assert allowed.rewrite("<lora:naked_v2:1> a calm lake", syntax="a1111").action == "pass"


def test_a_rewrite_may_not_bring_in_networks():
    engine = FakeEngine(answers=[["a knight <lora:other:1> on a hill, oil painting"]] * 3)
    verdict = prompter(engine, rewriting={"drop_words": False}).rewrite(KNIGHT, syntax="a1111")
    assert "<lora:other:1>" not in verdict.text


@pytest.mark.parametrize(
    "text", ["b(loo)dy", "[bloody:calm:0.5] knight", "[calm|bloody] knight", "blo[o|o]dy knight"]
)
def test_words_hidden_in_syntax_are_seen(text):
    assert prompter().rewrite(text, syntax="a1111").action != "pass"


def test_negative_prompt_stays_and_gains_additions():
    safe = prompter(negative={"additions": "gore"})
    assert safe.rewrite("a lake", negative="blurry, bloody").negative == "blurry, bloody, gore"
    assert safe.rewrite("a lake").negative == "gore"
    assert safe.rewrite("a lake", negative="blurry, gore").negative == "blurry, gore"
    assert prompter().rewrite("a lake", negative=" as it is ,").negative == " as it is ,"


def test_bare_is_one_greedy_rewrite():
    engine, scorer = FakeEngine(), FakeScorer()
    verdict = prompter(engine, scorer=scorer).rewrite(KNIGHT, bare=True)
    assert verdict.text == "a shining knight on a hill, oil painting"
    assert scorer.calls == []
    assert [(request.n, request.temperature) for request in engine.requests] == [(1, 0.0)]
    assert "neither judged nor verified" in verdict.reason


def test_progress_grows_to_one():
    seen = []
    prompter(FakeEngine(stubborn=["bloody"])).rewrite(
        KNIGHT, on_progress=lambda stage, part: seen.append((stage, part))
    )
    parts = [part for _, part in seen]
    assert parts == sorted(parts)
    assert seen[-1] == ("rewrite", 1.0)


def test_wrong_arguments():
    for arguments in ({"text": None}, {"text": "a", "syntax": "html"}, {"text": "a", "deadline": 0}):
        with pytest.raises(UsageError):
            prompter().rewrite(**arguments)


def test_check_marks_the_words_in_the_text():
    text = "(a bloody:1.2) knight"
    risk = prompter().check(text, syntax="a1111")
    assert risk.overall == 0.9
    assert [(word.word, text[word.start : word.end]) for word in risk.words] == [("bloody", "bloody")]


def test_same_text_same_answer():
    verdicts = [prompter(FakeEngine(stubborn=["bloody"])).rewrite(KNIGHT) for _ in range(3)]
    assert len({verdict.text for verdict in verdicts}) == 1


class TestMemory:
    def test_recalled_without_the_engine(self, tmp_path):
        engine, cache = FakeEngine(), Cache(tmp_path / "c.sqlite3")
        first = prompter(engine, cache=cache).rewrite(KNIGHT)
        second = prompter(engine, cache=cache).rewrite(KNIGHT, negative="blurry")
        assert len(engine.requests) == 1
        assert second.cached
        assert not first.cached
        assert (second.text, second.changes, second.original) == (first.text, first.changes, KNIGHT)
        assert second.negative == "blurry"

    def test_own_output_passes_unchanged(self, tmp_path):
        scorer = FakeScorer()
        safe = prompter(scorer=scorer, cache=tmp_path / "c.sqlite3")
        text = safe.rewrite(KNIGHT).text
        scorer.calls.clear()
        again = safe.rewrite(text)
        assert (again.action, again.text, again.cached) == ("pass", text, True)
        assert scorer.calls == []

    def test_policy_syntax_and_models_are_part_of_the_key(self, tmp_path):
        cache = Cache(tmp_path / "c.sqlite3")
        prompter(cache=cache).rewrite(KNIGHT)
        other = FakeEngine()
        other.identity = "other-engine"
        assert not prompter(other, cache=cache).rewrite(KNIGHT).cached
        assert not prompter(cache=cache, rewriting={"rounds": 3}).rewrite(KNIGHT).cached
        assert not prompter(cache=cache).rewrite(KNIGHT, syntax="a1111").cached
        scorer = FakeScorer()
        scorer.identity = "other-scorer"
        assert not prompter(scorer=scorer, cache=cache).rewrite(KNIGHT).cached

    def test_no_raw_prompt_on_disk(self, tmp_path):
        safe = prompter(cache=tmp_path / "c.sqlite3")
        safe.rewrite(KNIGHT)
        safe.close()
        assert all(b"bloody" not in file.read_bytes() for file in tmp_path.iterdir())

    def test_failures_are_not_kept(self, tmp_path):
        engine = FakeEngine()
        engine.error = RuntimeError("native crash")
        safe = prompter(engine, cache=tmp_path / "c.sqlite3")
        assert safe.rewrite(KNIGHT).action == "block"
        engine.error = None
        assert safe.rewrite(KNIGHT).action == "rewrite"


def test_cancelling_reaches_the_caller():
    with pytest.raises(CancelledError):
        prompter(FakeEngine(delay=5)).rewrite(KNIGHT, cancelled=lambda: True)
