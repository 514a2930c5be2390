"""PPO on a tiny random model: it learns, it resumes to the same trajectory, and its pieces fit together."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
accelerate = pytest.importorskip("accelerate")

from killed_run import train_and_kill  # noqa: E402
from posi.posi_core.errors import PosiError, UsageError  # noqa: E402
from posi.trainer.ppo import checkpoint  # noqa: E402
from posi.trainer.ppo.config import PPOConfig, load_config  # noqa: E402
from posi.trainer.ppo.loop import PPORun, batch_of  # noqa: E402
from posi.trainer.ppo.policy import PolicyWithValue, RolloutModel  # noqa: E402
from posi.trainer.ppo.rollout import drawn, lay_out, sample, select  # noqa: E402
from posi.trainer.ppo.setup import load_parts, tokenize  # noqa: E402
from posi.trainer.ppo.step import evaluate  # noqa: E402
from posi.trainer.rewards.protocol import RewardBatch  # noqa: E402
from tiny_lm import save_tiny_base, tiny_tokenizer  # noqa: E402


class ShareOfVowels:
    """Share of an answer's characters that are vowels: a text property with maximum 1."""

    def __call__(self, originals: Sequence[str], rewrites: Sequence[str]) -> RewardBatch:
        shares = [sum(c in "aeiou" for c in text) / max(len(text), 1) for text in rewrites]
        values = np.array(shares, np.float32)
        return RewardBatch(values, {"vowels": values})


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def config(base: Path) -> PPOConfig:
    return PPOConfig(
        base=str(base),
        prompts="prompts.jsonl",
        steps=4,
        batch=8,
        minibatch=8,
        ppo_epochs=2,
        learning_rate=5e-3,
        warmup_steps=1,
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        max_new_tokens=12,
        kl_weight=0.001,
        kl_target=0.0,
        unfinished_penalty=0.0,
        lora_rank=8,
        lora_alpha=16,
        lora_targets=("q_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
        save_every=2,
        validate_every=2,
        validation_prompts=2,
    )


PROMPTS = ["a red barn", "two dogs", "the sea at noon", "an old tower"]


def run(config: PPOConfig, folder: Path) -> PPORun:
    parts = load_parts(config, dtype=torch.float32)
    return PPORun(
        config, folder, parts, ShareOfVowels(), PROMPTS, PROMPTS[:2], accelerate.Accelerator(cpu=True)
    )


def metrics(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_it_learns_a_text_property(config: PPOConfig, tmp_path: Path) -> None:
    made = dataclasses.replace(
        config, steps=30, batch=32, minibatch=32, ppo_epochs=4, save_every=30, validate_every=30
    )
    run(made, tmp_path).train()
    scores = [row["score"] for row in metrics(tmp_path)]
    assert np.mean(scores[:3]) < 0.35
    assert np.mean(scores[-3:]) > 0.9


class VowelsAndLevel(ShareOfVowels):
    """Vowels, with a prompt's own offset far above what an answer can change."""

    def __call__(self, originals: Sequence[str], rewrites: Sequence[str]) -> RewardBatch:
        batch = super().__call__(originals, rewrites)
        offsets = np.array([100.0 * PROMPTS.index(text) for text in originals], np.float32)
        return RewardBatch(batch.scores + offsets, batch.parts)


def test_with_a_group_baseline_a_prompt_s_own_level_does_not_matter(
    config: PPOConfig, tmp_path: Path
) -> None:
    made = dataclasses.replace(
        config,
        steps=30,
        batch=8,
        samples=4,
        group_baseline=True,
        minibatch=32,
        ppo_epochs=4,
        save_every=30,
        validate_every=30,
    )
    parts = load_parts(made, dtype=torch.float32)
    PPORun(
        made, tmp_path, parts, VowelsAndLevel(), PROMPTS, PROMPTS[:2], accelerate.Accelerator(cpu=True)
    ).train()
    vowels = [row["reward/vowels"] for row in metrics(tmp_path)]
    assert np.mean(vowels[:3]) < 0.35
    assert np.mean(vowels[-3:]) > 0.9


def test_a_group_baseline_needs_a_group(config: PPOConfig) -> None:
    with pytest.raises(UsageError, match="samples is 1"):
        dataclasses.replace(config, group_baseline=True)


def test_a_run_folder_shows_what_happened(config: PPOConfig, tmp_path: Path) -> None:
    run(config, tmp_path).train()
    rows = metrics(tmp_path)
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    for name in ("score", "kl", "entropy", "clip_fraction", "gradient_norm", "reward/vowels", "kl_weight"):
        assert name in rows[0], name
    assert rows[0]["clip_fraction"] < 0.5
    assert (tmp_path / "curves.png").stat().st_size > 5_000
    assert list((tmp_path / "tensorboard").glob("events*"))
    samples = [
        json.loads(line) for line in (tmp_path / "samples" / "step-000000.jsonl").read_text().splitlines()
    ]
    assert [row["original"] for row in samples] == PROMPTS[:2]
    assert json.loads((tmp_path / "run.json").read_text())["config"]["learning_rate"] == config.learning_rate
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()
    assert (tmp_path / "best" / "adapter_model.safetensors").is_file()


def test_a_killed_run_resumes_to_the_same_trajectory(config: PPOConfig, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(config, whole).train()
    train_and_kill(run(config, broken), after=3)
    torch.manual_seed(999)  # whatever the process did before must not matter
    run(config, broken).train()
    assert metrics(broken) == metrics(whole)


def test_a_folder_of_another_config_is_refused(config: PPOConfig, tmp_path: Path) -> None:
    run(dataclasses.replace(config, steps=1), tmp_path).train()
    with pytest.raises(UsageError, match="learning_rate"):
        run(dataclasses.replace(config, steps=1, learning_rate=1e-3), tmp_path).train()


def test_no_prompts_is_an_error(config: PPOConfig, tmp_path: Path) -> None:
    parts = load_parts(config, dtype=torch.float32)
    with pytest.raises(PosiError, match="no prompts"):
        PPORun(config, tmp_path, parts, ShareOfVowels(), [], [], accelerate.Accelerator(cpu=True))


def test_prompts_beyond_the_limit_are_left_out_and_counted(config: PPOConfig, tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    lengths = [len(tokenize(tokenizer, config.template, text, 10**6)) for text in PROMPTS]
    fixed = len(tokenize(tokenizer, config.template, "", 10**6))
    made = run(dataclasses.replace(config, steps=1, max_prompt_tokens=min(lengths) - fixed), tmp_path)
    assert made.prompts == [
        text for text, length in zip(PROMPTS, lengths, strict=True) if length == min(lengths)
    ]
    assert made.too_long == len(PROMPTS) - len(made.prompts) > 0
    made.train()
    assert json.loads((tmp_path / "run.json").read_text())["too_long"] == made.too_long
    with pytest.raises(PosiError, match="longer than max_prompt_tokens = 1"):
        run(dataclasses.replace(config, max_prompt_tokens=1), tmp_path / "none")


def test_generators_go_on_where_they_were_and_mind_no_gpu_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = checkpoint.generators()
    drawn = torch.rand(3)
    checkpoint.set_generators(state)
    assert torch.equal(torch.rand(3), drawn)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    of_a_gpu = torch.cat([checkpoint.generators(), torch.zeros(16, dtype=torch.uint8)])
    drawn = torch.rand(3)
    checkpoint.set_generators(of_a_gpu)
    assert torch.equal(torch.rand(3), drawn)


def test_the_rollout_copy_says_what_the_policy_says(config: PPOConfig) -> None:
    parts = load_parts(config, dtype=torch.float32)
    policy = PolicyWithValue(parts.policy)
    with torch.no_grad():
        for name, value in policy.named_parameters():
            if "lora_B" in name:
                value.normal_(std=0.05)
    rollouts = RolloutModel(parts.policy, parts.rollouts)
    ids = torch.tensor([[5, 6, 7, 8]])
    attention = torch.ones_like(ids)
    with torch.no_grad():
        stale = rollouts.model(ids).logits
        rollouts.sync()
        merged = rollouts.model(ids).logits
        adapted = parts.policy(ids).logits
        logits, _ = policy(ids, attention, torch.tensor([2]), 2, 1.0)
        reference, _ = policy(ids, attention, torch.tensor([2]), 2, 1.0, reference=True)
    assert torch.allclose(merged, adapted, atol=1e-4)
    assert not torch.allclose(stale, adapted, atol=1e-2)
    assert torch.allclose(logits, adapted[:, 1:3], atol=1e-4)  # position p predicts token p + 1
    assert torch.allclose(reference, stale[:, 1:3], atol=1e-4)


def test_padding_changes_no_logprob(config: PPOConfig) -> None:
    parts = load_parts(config, dtype=torch.float32)
    policy = PolicyWithValue(parts.policy)
    prompts = [[5, 6, 7], [8, 9, 10, 11, 12, 13]]
    answers = [[20, 21, 1], [22, 23, 24, 25, 26, 27]]
    both = lay_out(parts.tokenizer, prompts, answers, 1, 1, "cpu")
    together, _ = evaluate(policy, both, config, reference=False)
    for row in range(2):
        alone = select(both, torch.tensor([row]))
        logprobs, _ = evaluate(policy, alone, config, reference=False)
        width = alone.answers.shape[1]
        assert torch.allclose(logprobs[0], together[row, :width], atol=1e-4)
    assert both.finished == [True, False]
    assert both.mask.sum(1).tolist() == [3, 6]
    assert len(both.texts[0]) == 2  # the end token is not part of the text


def test_sampled_answers_stop_at_the_stop_token(config: PPOConfig) -> None:
    parts = load_parts(config, dtype=torch.float32)
    torch.manual_seed(0)
    ids = [tokenize(parts.tokenizer, parts.template, text, 64) for text in PROMPTS * 8]
    rollout = sample(parts.rollouts, parts.tokenizer, ids, config, parts.stop)
    for answer, mask, done in zip(
        rollout.answers.tolist(), rollout.mask.tolist(), rollout.finished, strict=True
    ):
        length = int(sum(mask))
        assert (answer[length - 1] == parts.stop) == done
        assert parts.stop not in answer[: length - 1]


def test_answers_are_those_of_generate_whatever_their_neighbours_do(config: PPOConfig) -> None:
    parts = load_parts(config, dtype=torch.float32)
    ids = [tokenize(parts.tokenizer, parts.template, text, 64) for text in [*PROMPTS, *"abcdefgh"]]
    unstopped = sample(parts.rollouts, parts.tokenizer, ids, config, parts.stop, greedy=True).answers.tolist()
    stop = next(
        t for answer in unstopped for t in answer if 0 < sum(t in other for other in unstopped) < len(ids)
    )
    together = sample(parts.rollouts, parts.tokenizer, ids, config, stop, greedy=True)
    assert len(set(together.finished)) == 2  # some stop early, so that rows leave the batch
    for prompt, answer, mask in zip(ids, together.answers.tolist(), together.mask.tolist(), strict=True):
        alone = parts.rollouts.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            do_sample=False,
            max_new_tokens=config.max_new_tokens,
            eos_token_id=stop,
            pad_token_id=stop,
        )
        assert answer[: int(sum(mask))] == alone[0, len(prompt) :].tolist()


def test_tokens_are_drawn_as_often_as_they_are_likely_and_forbidden_ones_never() -> None:
    torch.manual_seed(0)
    chances = torch.tensor([0.0, 0.5, 0.0, 0.2, 0.3, 0.0])
    found = torch.bincount(drawn(chances.log().repeat(20_000, 1)), minlength=6) / 20_000
    assert found[chances == 0].sum() == 0
    torch.testing.assert_close(found, chances, atol=0.015, rtol=0)


def test_the_largest_random_number_still_draws_an_allowed_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand_like", torch.ones_like)
    assert drawn(torch.tensor([[1.0, 2.0, 3.0, -torch.inf]])).item() == 2
    monkeypatch.setattr(torch, "rand_like", torch.zeros_like)
    assert drawn(torch.tensor([[-torch.inf, 2.0, 3.0]])).item() == 1


def test_samples_of_a_prompt_stand_together_and_obey_top_k(config: PPOConfig) -> None:
    parts = load_parts(config, dtype=torch.float32)
    ids = [tokenize(parts.tokenizer, parts.template, text, 64) for text in PROMPTS[:2]]
    sharp = dataclasses.replace(config, top_k=1)
    rollout = sample(parts.rollouts, parts.tokenizer, ids, sharp, parts.stop, samples=3)
    greedy = sample(parts.rollouts, parts.tokenizer, ids, config, parts.stop, greedy=True)
    assert rollout.texts == [text for text in greedy.texts for _ in range(3)]
    assert rollout.starts.tolist() == [len(prompt) for prompt in ids for _ in range(3)]
    torch.manual_seed(0)
    assert len(set(sample(parts.rollouts, parts.tokenizer, ids, config, parts.stop, samples=8).texts)) > 8


def test_long_prompts_are_cut_at_whole_tokens_before_the_suffix() -> None:
    from posi.trainer.template import Template

    tokenizer, template = tiny_tokenizer(), Template()
    whole = tokenize(tokenizer, template, "abcdefgh", 100)
    cut = tokenize(tokenizer, template, "abcdefgh", 5)
    assert len(whole) - len(cut) == 3
    assert cut[-1] == whole[-1]
    assert tokenizer.decode(cut[-6:-1]) == "abcde"


@pytest.mark.parametrize("name", ["ppo.toml", "ppo-cpu.toml", "ppo-gpu.toml"])
def test_our_recipes_load_and_ask_for_names(name: str) -> None:
    config = load_config(Path(__file__).parents[2] / "trainer" / "recipes" / "smollm2-135m" / name)
    assert config.group_baseline
    assert config.reward_options["lost_names"] > 0
    assert config.reward_options["names_source"]
    assert ("fluency_base" in config.reward_options) == (name != "ppo.toml")


def test_batches_are_a_function_of_step_and_seed() -> None:
    first = [text for step in range(2) for text in batch_of(PROMPTS, step, 2, seed=1)]
    assert sorted(first) == sorted(PROMPTS)
    assert batch_of(PROMPTS, 3, 2, seed=1) == batch_of(PROMPTS, 3, 2, seed=1)
    longer = [batch_of(PROMPTS, step, 4, seed=1) for step in range(6)]
    assert len({tuple(batch) for batch in longer}) > 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = 0\nbase='b'\nprompts='p'", "steps is 0"),
        ("stepz = 3\nbase='b'\nprompts='p'", "unknown key 'stepz'"),
        ("base = 'b'", "prompts"),
        ("base = ", "cannot be read as TOML"),
    ],
)
def test_a_wrong_recipe_names_the_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "ppo.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_config(path)
