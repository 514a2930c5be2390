"""Rewards of text alone: what is paid for, and what a policy cannot get away with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEncoder, FakeScorer
from posi.posi_core.errors import UsageError
from posi.posi_core.models import find
from posi.posi_core.similarity import load_encoder
from posi.trainer.data.sources import write_rows
from posi.trainer.evaluation.names import NameFinder
from posi.trainer.rewards import faults
from posi.trainer.rewards.build import build_reward
from posi.trainer.rewards.distilled import DistilledReward, DistilledWeights
from posi.trainer.rewards.mixed import MixedReward
from posi.trainer.rewards.protocol import RewardBatch

ORIGINAL = "a bloody knight on a hill, oil painting by Rembrandt"


@pytest.fixture
def reward() -> DistilledReward:
    return DistilledReward(FakeScorer(), FakeEncoder())


def score(reward: DistilledReward, rewrite: str, original: str = ORIGINAL) -> float:
    return float(reward([original], [rewrite]).scores[0])


def test_a_minimal_safe_edit_beats_copying_and_rewriting_everything(reward: DistilledReward) -> None:
    edit = score(reward, "a shining knight on a hill, oil painting by Rembrandt")
    copy = score(reward, ORIGINAL)
    other = score(reward, "a bowl of fruit")
    assert edit > copy
    assert edit > other


def test_similarity_is_with_the_original_and_capped() -> None:
    scorer, encoder = FakeScorer(base=0.2), FakeEncoder()
    capped = DistilledReward(
        scorer, encoder, DistilledWeights(similarity=1, similarity_cap=0.5, copied_risky=0)
    )
    batch = capped(["a red barn"], ["a red barn"])
    assert encoder.calls[-1] == ("a red barn", ("a red barn",))
    assert batch.parts["similarity"][0] == pytest.approx(1.0)
    assert batch.scores[0] == pytest.approx(
        0.5 - 4 * batch.parts["risk"][0] - batch.parts["category"][0], abs=1e-5
    )


def test_all_of_the_similarity_counts_where_nothing_was_risky() -> None:
    reward = DistilledReward(FakeScorer(base=0.02), FakeEncoder(), DistilledWeights(similarity_cap=0.5))
    assert score(reward, "a red barn", "a red barn") > score(reward, "a red house", "a red barn") + 0.3


def test_a_harmless_prompt_earns_nothing_by_becoming_safer_but_pays_for_becoming_risky() -> None:
    """Else "a rusty roof" became "a sturdy roof" in one caption of seven."""
    scorer = FakeScorer({"rusty": ("violence", 0.08), "bloody": ("violence", 0.9)}, base=0.01)
    reward = DistilledReward(scorer, FakeEncoder(), DistilledWeights(similarity=0, lost_words=0))
    assert score(reward, "a sturdy barn", "a rusty barn") == score(reward, "a rusty barn", "a rusty barn")
    assert score(reward, "a bloody barn", "a rusty barn") < score(reward, "a rusty barn", "a rusty barn") - 1
    stern = DistilledReward(
        scorer, FakeEncoder(), DistilledWeights(similarity=0, lost_words=0, harmless_risk=0.05)
    )
    assert score(stern, "a sturdy barn", "a rusty barn") > score(stern, "a rusty barn", "a rusty barn") + 0.2


@pytest.mark.parametrize(
    ("part", "rewrite"),
    [
        ("empty", " , "),
        ("chatty", "Sure, here is a safe prompt: a knight on a hill"),
        ("runaway", "a knight, " * 20),
        ("praise", "a breathtaking, captivating, magnificent knight on a hill, oil painting by Rembrandt"),
        ("padding", "a knight on a hill at noon in summer near the sea, oil painting by Rembrandt"),
        ("lost_words", "a knight"),
        ("garbled", "a knightonahilloilpaintingbyrembrandt"),
        ("copied_risky", ORIGINAL),
    ],
)
def test_each_fault_is_named_and_costs(reward: DistilledReward, part: str, rewrite: str) -> None:
    batch = reward([ORIGINAL], [rewrite])
    assert batch.parts[part][0] > 0
    free = DistilledReward(FakeScorer(), FakeEncoder(), DistilledWeights(**{part: 0.0}))
    assert float(batch.scores[0]) < score(free, rewrite)


def test_a_good_rewrite_has_no_fault(reward: DistilledReward) -> None:
    batch = reward([ORIGINAL], ["a shining knight on a hill, oil painting by Rembrandt"])
    for part in ("empty", "chatty", "runaway", "praise", "padding", "lost_words", "garbled", "copied_risky"):
        assert batch.parts[part][0] == 0, part


NAMED = "a knight, oil painting by greg rutkowski and ruth naked"


def test_losing_a_name_costs_unless_the_name_carries_the_risk() -> None:
    names = NameFinder(frozenset({"oil", "painting", "knight"}))
    reward = DistilledReward(FakeScorer(), FakeEncoder(), names=names)
    kept = reward([NAMED], ["a knight, oil painting by greg rutkowski"])
    lost = reward([NAMED], ["a knight, oil painting by greg the painter"])
    assert kept.parts["lost_names"][0] == 0
    assert lost.parts["lost_names"][0] == 1
    free = DistilledReward(FakeScorer(), FakeEncoder(), DistilledWeights(lost_names=0), names=names)
    assert lost.scores[0] == pytest.approx(
        free([NAMED], ["a knight, oil painting by greg the painter"]).scores[0] - 2.0
    )
    assert DistilledReward(FakeScorer(), FakeEncoder())([NAMED], ["a"]).parts["lost_names"][0] == 0


def test_a_second_scorer_has_as_much_to_say_as_the_first() -> None:
    weights = DistilledWeights(category=0, copied_risky=0)
    stern = FakeScorer({"hill": ("violence", 0.8)})
    alone = DistilledReward(FakeScorer(), FakeEncoder(), weights)
    both = DistilledReward(FakeScorer(), FakeEncoder(), weights, others=[stern])
    text = "a shining knight on a hill, oil painting by Rembrandt"
    assert alone([ORIGINAL], [text]).scores[0] - both([ORIGINAL], [text]).scores[0] == pytest.approx(
        4 * (0.8 - 0.02) / 2, abs=1e-5
    )
    # The part is the gate's own scorer's: runs with and without a second one can be compared.
    assert both([ORIGINAL], [text]).parts["risk"][0] == pytest.approx(0.02)


def test_a_full_stop_or_an_article_more_earns_nothing(reward: DistilledReward) -> None:
    assert score(reward, "a shining knight.") == score(reward, "a shining knight")
    assert reward.scorer.calls[-1] == ("a shining knight",)  # type: ignore[attr-defined]
    assert score(reward, "a shining knight", "bloody knight") == score(
        reward, "shining knight", "bloody knight"
    )


def test_equal_answers_are_scored_once_and_each_prompt_is_encoded_with_its_answers() -> None:
    scorer, encoder = FakeScorer(), FakeEncoder()
    reward = DistilledReward(scorer, encoder)
    batch = reward(["a cat", "a cat", "a dog"], ["a hat", "a hat", "a log"])
    assert scorer.calls[-1] == ("a hat", "a log")
    assert encoder.calls == [("a cat", ("a hat", "a hat")), ("a dog", ("a log",))]
    assert batch.scores[0] == batch.scores[1]


def test_a_recipe_names_more_scorers_and_where_captions_are(tmp_path: Path) -> None:
    rows = [{"prompt": f"a photo of a tall building number {place}"} for place in range(3)]
    write_rows(tmp_path / "coco_captions.jsonl.gz", rows)
    shipped = find("risk", None)
    built = build_reward("distilled", {"scorers": [str(shipped)], "names_source": str(tmp_path), "risk": 2.0})
    assert isinstance(built, DistilledReward)
    assert built.weights.risk == 2.0
    assert [other.identity for other in built.others] == [built.scorer.identity]
    assert built.names is not None
    assert built.names.find("a tower by greg rutkowski, tall building") == ("greg rutkowski",)
    with pytest.raises(UsageError, match="scorer"):
        build_reward("distilled", {"scorer": "one.onnx"})


def test_losing_the_risky_word_itself_is_free(reward: DistilledReward) -> None:
    without = reward([ORIGINAL], ["a knight on a hill, oil painting by Rembrandt"])
    assert without.parts["lost_words"][0] == 0


def test_harmless_words_are_found_once_a_prompt(reward: DistilledReward) -> None:
    reward([ORIGINAL], ["a knight"])
    calls = len(reward.scorer.calls)  # type: ignore[attr-defined]
    reward([ORIGINAL], ["a hill"])
    assert len(reward.scorer.calls) == calls + 1  # type: ignore[attr-defined]


def test_a_word_that_many_prompts_get_is_worth_less_than_one_of_its_own() -> None:
    originals = ["a bloody knight", "a bloody knight", "a corpse", "a gun in the snow"]
    rewrites = ["a playful knight", "a shining knight", "a playful statue", "a gun with playful snow"]
    # Of the two other prompts' answers all say "playful"; "shining", "statue" and "with" are nobody else's.
    # The corpse's word is in half of the knight's answers and in all of the gun's.
    assert faults.overused(originals, rewrites) == pytest.approx([1.0, 0.0, 0.75, 0.75])
    assert faults.overused(["a playful cat"] * 2, ["a playful cat", "a playful dog"]) == [0.0, 0.0]


def test_a_compound_is_overused_by_its_parts() -> None:
    rewrites = ["a flower-filled cat", "a flower-shaped dog"]
    assert faults.overused(["a grim cat", "a sad dog"], rewrites) == [1.0, 1.0]
    assert faults.overused(["a grim flower-cat", "a sad flower"], rewrites) == [0.0, 0.0]


def test_short_words_and_those_of_grammar_are_overused_too_and_articles_are_not() -> None:
    originals = ["a bloody knight", "a man with a gun", "a cat and a corpse"]
    rewrites = ["a knight in a hat", "the man in the hat", "a cat and a bird and a tree"]
    assert faults.overused(originals, rewrites) == [1.0, 1.0, 0.0]
    assert faults.overused(originals, ["a knight and a fan", "an old man", rewrites[2]]) == [0.5, 0.0, 0.5]


def test_overused_words_cost(reward: DistilledReward) -> None:
    originals = [ORIGINAL, "a corpse"]
    both = reward(originals, ["a playful knight on a hill", "a playful statue"])
    own = reward(originals, ["a shining knight on a hill", "a playful statue"])
    assert both.parts["overused"].tolist() == [1.0, 1.0]
    assert own.parts["overused"].tolist() == [0.0, 0.0]
    assert both.scores[0] < own.scores[0] - 1.5


def test_the_original_may_repeat_itself() -> None:
    chorus = "row row row row your boat, row row row row your boat"
    assert faults.runaway(chorus, chorus) == 0.0


def test_praise_the_user_asked_for_is_not_held_against_the_rewrite() -> None:
    assert faults.added_praise("a beautiful garden", "a beautiful garden at dawn") == 0.0


def test_a_long_word_of_the_prompt_and_the_parts_of_a_hyphened_one_are_not_garbled() -> None:
    pieces = FakeEncoder().pieces
    long = "an electroencephalographically odd tower"
    assert faults.garbled(long, long, pieces) == 0
    assert faults.garbled("a tower", "a mediterranean-inspired-architecture tower", pieces) == 0
    assert faults.garbled("a tower", long, pieces) == 0.5
    assert pieces("electroencephalographically") >= 3


def test_the_shipped_encoder_cuts_names_gone_wrong_into_many_pieces() -> None:
    pieces = load_encoder().pieces
    assert faults.garbled("by paul delvaux", "by pauldelvaux", pieces) == 0.5
    assert faults.garbled("a bloody knife", "a shining wooden spoon", pieces) == 0


class Constant:
    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, originals: Sequence[str], rewrites: Sequence[str]) -> RewardBatch:
        values = np.full(len(rewrites), self.value, np.float32)
        return RewardBatch(values, {"raw": values})


def test_mixed_sums_by_weight_and_keeps_every_part() -> None:
    batch = MixedReward({"a": (Constant(2.0), 0.5), "b": (Constant(3.0), 2.0)})(["x", "y"], ["x", "y"])
    assert batch.scores.tolist() == [7.0, 7.0]
    assert set(batch.parts) == {"a", "a/raw", "b", "b/raw"}


def test_mixed_needs_a_reward() -> None:
    with pytest.raises(UsageError, match="at least one"):
        MixedReward({})
