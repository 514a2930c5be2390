"""The life of one prompt on fakes: pass, rewrite, verify, block, remember."""

from __future__ import annotations

import pytest
from fakes import FakeEngine, FakeScorer
from posi.posi_core.cache import Cache
from posi.posi_core.errors import BlockedError, CancelledError, UsageError
from posi.posi_core.safe_prompt import verdict_or_raise
from prompters import KNIGHT, prompter


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
