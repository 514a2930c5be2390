"""Guided answers: they do without risky words, teach only by winning, and leave free ones and resuming alone."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
accelerate = pytest.importorskip("accelerate")

from fakes import FakeEncoder, FakeScorer  # noqa: E402
from killed_run import train_and_kill  # noqa: E402
from posi.posi_core.errors import UsageError  # noqa: E402
from posi.trainer.ppo import loop  # noqa: E402
from posi.trainer.ppo.config import PPOConfig  # noqa: E402
from posi.trainer.ppo.formulas import guided_gains, leave_one_out, most_telling  # noqa: E402
from posi.trainer.ppo.guidance import Guidance  # noqa: E402
from posi.trainer.ppo.loop import PPORun  # noqa: E402
from posi.trainer.ppo.rollout import sample  # noqa: E402
from posi.trainer.ppo.setup import load_parts, tokenize  # noqa: E402
from posi.trainer.ppo.step import update  # noqa: E402
from posi.trainer.rewards.distilled import DistilledReward  # noqa: E402
from posi.trainer.rewards.protocol import RewardBatch  # noqa: E402
from tiny_lm import save_tiny_base, tiny_tokenizer  # noqa: E402

RISKY = "a bloody knight, a gun and a corpse"


class Blamer:
    """Pays for vowels; blames every word with an o. `given` holds the scores it gave."""

    def __init__(self) -> None:
        self.given: list[np.ndarray] = []

    def risky_words(self, original: str) -> list[str]:
        return [word for word in original.split() if "o" in word]

    def most_blamed(self, original: str) -> list[str]:
        return self.risky_words(original)[:1]

    def __call__(self, originals: Sequence[str], rewrites: Sequence[str]) -> RewardBatch:
        scores = np.array(
            [sum(c in "aeiou" for c in text) / (len(text) + 1) for text in rewrites], np.float32
        )
        self.given.append(scores)
        return RewardBatch(scores)


def test_the_reward_blames_risky_words_and_none_of_a_harmless_prompt() -> None:
    reward = DistilledReward(FakeScorer(), FakeEncoder())
    assert reward.risky_words(RISKY) == ("bloody", "gun", "corpse")
    assert reward.risky_words("a red barn") == ()


def test_the_most_blamed_words_are_those_that_take_much_risk_with_them() -> None:
    scorer = FakeScorer({"bloody": ("violence", 0.9), "grim": ("violence", 0.03)})
    reward = DistilledReward(scorer, FakeEncoder())
    assert reward.risky_words("a grim and bloody knight") == ("grim", "bloody")
    assert reward.most_blamed("a grim and bloody knight") == ("bloody",)
    assert reward.most_blamed("a grim barn") == ()


def test_the_last_answers_of_a_prompt_lose_one_word_two_and_so_on() -> None:
    tokenizer = tiny_tokenizer()
    guidance = Guidance(Blamer(), tokenizer, 300, 6, 3)
    banned = guidance.ban(["a boat", "red", "dog owl fox"], "seed")
    first = {
        word: set(tokenizer(word + word.upper(), add_special_tokens=False)["input_ids"]) for word in "bdof"
    }
    assert banned.shape == (18, 300)
    free = ~banned.any(1)
    assert free.tolist() == [True] * 3 + [False] * 3 + [True] * 6 + [True] * 3 + [False] * 3
    assert set(banned[5].nonzero().flatten().tolist()) == first["b"]  # one risky word, however many may go
    assert set(banned[17].nonzero().flatten().tolist()) == first["d"] | first["o"] | first["f"]
    assert banned[15].sum() == 2
    assert torch.equal(banned, guidance.ban(["a boat", "red", "dog owl fox"], "seed"))
    assert any(
        not torch.equal(banned, guidance.ban(["a boat", "red", "dog owl fox"], str(n))) for n in range(9)
    )


def test_all_answers_of_a_prompt_lose_the_same_words() -> None:
    tokenizer = tiny_tokenizer()
    banned = Guidance(Blamer(), tokenizer, 300, 3, 3).ban(["dog owl", "red", "fox"], "seed")
    first = [set(tokenizer(word + word.upper(), add_special_tokens=False)["input_ids"]) for word in "df"]
    assert [set(row.nonzero().flatten().tolist()) for row in banned] == [first[0]] * 3 + [set()] * 3 + [
        first[1]
    ] * 3


def test_guided_answers_teach_only_by_winning() -> None:
    scores = torch.tensor([1.0, 3.0, 5.0, 0.0, 1.0, 3.0, 2.0, 2.0])
    guided = torch.tensor([False, False, True, True] + [False] * 4)
    gains = guided_gains(scores, guided, 4)
    # Free ones count against each other, guided ones against the free ones' mean, which is 2.
    assert gains[:4].tolist() == [-2.0, 2.0, 3.0, 0.0]
    assert torch.allclose(gains[4:], leave_one_out(scores[4:], 4))


def test_the_answers_with_the_most_different_gains_tell_most() -> None:
    gains = torch.tensor([0.0, -3.0, 2.0, 0.5, -1.0, 9.0, 9.0, 1.0, -9.0, 2.0])
    assert most_telling(gains, 5, 2).tolist() == [1, 2, 6, 8]
    assert most_telling(gains, 5, 3).tolist() == [1, 2, 3, 5, 6, 8]
    assert most_telling(gains, 5, 5).tolist() == list(range(10))
    assert most_telling(torch.zeros(6), 3, 2).tolist() == [0, 2, 3, 5]


@pytest.fixture
def config(tmp_path: Path) -> PPOConfig:
    return PPOConfig(
        base=str(save_tiny_base(tmp_path / "base")),
        prompts="prompts.jsonl",
        steps=3,
        batch=2,
        samples=5,
        group_baseline=True,
        guided=2,
        minibatch=10,
        ppo_epochs=1,
        max_new_tokens=12,
        max_prompt_tokens=64,
        save_every=1,
    )


def test_a_banned_token_is_never_said_and_free_answers_may_say_it(config: PPOConfig) -> None:
    parts = load_parts(config, dtype=torch.float32)
    ids = [tokenize(parts.tokenizer, parts.template, text, 64) for text in ("a dog", "two owls")]
    torch.manual_seed(0)
    usual = sample(parts.rollouts, parts.tokenizer, ids, config, parts.stop, samples=20)
    common = int(torch.tensor([t for row in usual.answers.tolist() for t in row]).mode().values)
    banned = torch.zeros(40, parts.policy.config.vocab_size, dtype=torch.bool)
    banned[::2, common] = True
    torch.manual_seed(0)
    rollout = sample(parts.rollouts, parts.tokenizer, ids, config, parts.stop, samples=20, banned=banned)
    said = ((rollout.answers == common) & (rollout.mask > 0)).any(1)
    assert not said[::2].any()
    assert said[1::2].any()


def test_a_run_counts_its_own_answers_alone_and_resumes_to_the_same_trajectory(
    config: PPOConfig, tmp_path: Path
) -> None:
    config = dataclasses.replace(config, unfinished_penalty=0.0)
    rewards: list[Blamer] = []

    def run(folder: Path) -> PPORun:
        rewards.append(Blamer())
        parts = load_parts(config, dtype=torch.float32)
        return PPORun(
            config, folder, parts, rewards[-1], ["a dog", "two owls"], [], accelerate.Accelerator(cpu=True)
        )

    run(tmp_path / "whole").train()
    rows = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    scores = rewards[0].given[0].reshape(2, 5)
    assert rows[0]["score"] == pytest.approx(scores[:, :3].mean(), abs=1e-5)
    assert rows[0]["score"] != pytest.approx(scores.mean(), abs=1e-5)

    train_and_kill(run(tmp_path / "broken"), after=2)
    run(tmp_path / "broken").train()
    resumed = (tmp_path / "broken" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in resumed] == rows


def test_a_part_of_the_answers_is_learned_from_and_all_are_counted(
    config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[tuple[list[str], list[float]]] = []

    def watched(*arguments: Any) -> dict[str, float]:
        learned.append((arguments[3].texts, arguments[4].tolist()))
        return update(*arguments)

    monkeypatch.setattr(loop, "update", watched)
    config = dataclasses.replace(config, guided=0, learn_from=2, steps=1, unfinished_penalty=0.0)
    reward = Blamer()
    parts = load_parts(config, dtype=torch.float32)
    prompts = ["a dog", "two owls"]
    PPORun(config, tmp_path, parts, reward, prompts, [], accelerate.Accelerator(cpu=True)).train()
    (scores,), ((texts, gains),) = reward.given, learned
    expected = leave_one_out(torch.from_numpy(scores), 5).view(2, 5)
    assert sorted(gains) == pytest.approx(sorted([*expected.amin(1).tolist(), *expected.amax(1).tolist()]))
    assert len(texts) == 4
    row = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert row["score"] == pytest.approx(float(scores.mean()), abs=1e-5)


def test_where_all_are_guided_they_are_compared_with_each_other_and_all_counted(
    config: PPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gains: list[float] = []

    def watched(*arguments: Any) -> dict[str, float]:
        gains.extend(arguments[4].tolist())
        return update(*arguments)

    monkeypatch.setattr(loop, "update", watched)
    config = dataclasses.replace(config, guided=5, steps=1, unfinished_penalty=0.0)
    reward = Blamer()
    parts = load_parts(config, dtype=torch.float32)
    prompts = ["a dog", "two owls"]
    PPORun(config, tmp_path, parts, reward, prompts, [], accelerate.Accelerator(cpu=True)).train()
    (scores,) = reward.given
    assert gains == pytest.approx(leave_one_out(torch.from_numpy(scores), 5).tolist())
    assert min(gains) < 0
    row = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert row["score"] == pytest.approx(float(scores.mean()), abs=1e-5)


@pytest.mark.parametrize(
    "wrong", [{"learn_from": 1}, {"learn_from": 6}, {"group_baseline": False, "guided": 0}]
)
def test_what_is_learned_from_is_a_part_of_a_group(config: PPOConfig, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="learn_from is"):
        dataclasses.replace(config, **{"learn_from": 2, **wrong})


def test_a_reward_that_blames_nobody_cannot_guide(config: PPOConfig) -> None:
    with pytest.raises(UsageError, match="guided is 2"):
        Guidance(lambda originals, rewrites: RewardBatch(np.zeros(1)), tiny_tokenizer(), 300, 5, 2)
    for wrong in ({"guided": 4}, {"guided": -1}, {"group_baseline": False}):
        with pytest.raises(UsageError, match="guided is"):
            dataclasses.replace(config, **wrong)
