"""`posi eval fuzz`: some hundred mutated prompts on fakes, and that it would find a fault."""

from __future__ import annotations

import pytest
from fakes import RISKY, FakeEncoder, FakeScorer
from posi.posi_core.policy import load_policy
from posi.posi_core.safe_prompt import SafePrompter
from posi.posi_core.verdict import Verdict
from posi.trainer.evaluation.fuzz import fuzz
from posi.trainer.evaluation.fuzz.hostile import RememberingScorer, WordScorer
from posi.trainer.evaluation.fuzz.mutate import mutated_prompts

SEEDS = [f"a {word} beside a lake at dawn, oil painting" for word in RISKY] + [
    "a calm lake under pine trees",
    "portrait of an old fisherman, 35mm, f/1.8",
    "two children playing in a park",
]


@pytest.mark.parametrize("policy", ["standard", "strict"])
def test_nothing_gets_through(policy):
    steps = []
    report = fuzz(
        SEEDS,
        400,
        policy=load_policy(policy),
        scorer=FakeScorer(),
        encoder=FakeEncoder(),
        progress=steps.append,
    )
    assert report.faults == []
    assert report.clean
    assert report.prompts == steps[-1] == 400
    assert min(report.actions[action] for action in ("pass", "rewrite", "block")) > 0


def test_same_seed_same_prompts():
    first = list(mutated_prompts(SEEDS, 200, seed=4))
    assert first == list(mutated_prompts(SEEDS, 200, seed=4))
    assert first != list(mutated_prompts(SEEDS, 200, seed=5))


def test_it_finds_faults(monkeypatch):
    def leaky(self, text, *, syntax="plain", **more):
        if "odd" in text:
            raise KeyError(text)
        return Verdict(text=text + ("!" if "lake" in text else ""), action="pass", original=text)

    monkeypatch.setattr(SafePrompter, "rewrite", leaky)
    report = fuzz(
        [*SEEDS, "odd"], 300, policy=load_policy("standard"), scorer=FakeScorer(), encoder=FakeEncoder()
    )
    assert not report.clean
    assert report.over_threshold
    assert report.changed_pass
    assert report.exceptions
    assert len(report.faults) == 20


def test_remembering_scorer_asks_once():
    scorer = FakeScorer()
    remembering = RememberingScorer(scorer)
    assert remembering.score(["a gun", "a gun", "lake"]) == remembering.score(["a gun", "a gun", "lake"])
    assert scorer.calls == [("a gun", "lake")]
    assert remembering.score(["a gun"], words=True)[0].words


def test_word_scorer_sees_through_disguise():
    plain, hidden, harmless = WordScorer().score(
        ["a corpse on a hill", "a c.o.r.p.s.e on a hill", "a hill"], words=True
    )
    assert plain.overall == hidden.overall == 0.95
    assert [word.word for word in plain.words] == ["corpse"]
    assert harmless.overall < 0.1
