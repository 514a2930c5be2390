"""Each formula of PPO against numbers worked out by hand, and where a library has one, against it."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from posi.trainer.ppo import formulas as f  # noqa: E402

MASK = torch.tensor([[1.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]])


def test_masked_mean_leaves_padding_out() -> None:
    values = torch.tensor([[1.0, 2.0, 3.0, 1e9], [6.0, 1e9, 1e9, 1e9]])
    assert f.masked_mean(values, MASK).item() == pytest.approx((1 + 2 + 3 + 6) / 4)


def test_masked_mean_of_nothing_is_zero() -> None:
    assert f.masked_mean(torch.ones(2, 4), torch.zeros(2, 4)).item() == 0.0


def test_whitening_equals_torch_std_on_the_real_tokens() -> None:
    values = torch.tensor([[1.0, 2.0, 3.0, 50.0], [6.0, 50.0, 50.0, 50.0]])
    white = f.masked_whiten(values, MASK)
    real = torch.tensor([1.0, 2.0, 3.0, 6.0])
    expected = (real - real.mean()) / real.std()
    assert torch.allclose(white[MASK.bool()], expected, atol=1e-5)
    assert white[~MASK.bool()].abs().sum() == 0


def test_whitening_can_keep_the_mean() -> None:
    values = torch.tensor([[1.0, 2.0, 3.0, 0.0], [6.0, 0.0, 0.0, 0.0]])
    kept = f.masked_whiten(values, MASK, shift_mean=False)
    assert f.masked_mean(kept, MASK).item() == pytest.approx(3.0, abs=1e-5)


def test_token_logprobs_by_hand() -> None:
    logits = torch.tensor([[[0.0, math.log(3.0)]]])
    assert f.token_logprobs(logits, torch.tensor([[1]])).item() == pytest.approx(math.log(0.75))


def test_entropy_equals_torch_categorical() -> None:
    logits = torch.randn(2, 3, 7, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(
        f.entropy(logits), torch.distributions.Categorical(logits=logits).entropy(), atol=1e-5
    )


def test_score_lands_on_the_last_real_token_and_kl_on_every_one() -> None:
    logprobs = torch.tensor([[-1.0, -2.0, -3.0, -9.0], [-1.0, -9.0, -9.0, -9.0]])
    reference = torch.tensor([[-1.5, -2.0, -2.0, 0.0], [-2.0, 0.0, 0.0, 0.0]])
    rewards = f.shaped_rewards(torch.tensor([10.0, 20.0]), logprobs, reference, MASK, kl_weight=0.1)
    expected = torch.tensor([[-0.05, 0.0, 10.1, 0.0], [19.9, 0.0, 0.0, 0.0]])
    assert torch.allclose(rewards, expected, atol=1e-6)


def test_an_answer_is_measured_against_its_prompt_s_other_answers() -> None:
    gains = f.leave_one_out(torch.tensor([1.0, 2.0, 6.0, -3.0, -3.0, -3.0]), 3)
    assert torch.allclose(gains, torch.tensor([1.0 - 4.0, 2.0 - 3.5, 6.0 - 1.5, 0.0, 0.0, 0.0]))


def test_an_answer_without_tokens_earns_nothing() -> None:
    zero = torch.zeros(1, 2)
    assert f.shaped_rewards(torch.tensor([3.0]), zero, zero, zero, 0.1).abs().sum() == 0


def test_gae_by_hand() -> None:
    rewards = torch.tensor([[1.0, 2.0]])
    values = torch.tensor([[0.5, 1.0]])
    advantages, returns = f.advantages_and_returns(rewards, values, torch.ones(1, 2), gamma=0.9, lam=0.5)
    last = 2.0 - 1.0
    first = 1.0 + 0.9 * 1.0 - 0.5 + 0.9 * 0.5 * last
    assert torch.allclose(advantages, torch.tensor([[first, last]]))
    assert torch.allclose(returns, advantages + values)


def test_gae_ignores_whatever_stands_in_the_padding() -> None:
    rewards, values = torch.randn(2, 2, 4, generator=torch.Generator().manual_seed(0))
    noisy = values + (1 - MASK) * 1e6
    clean, _ = f.advantages_and_returns(rewards, values, MASK, 0.99, 0.95)
    dirty, returns = f.advantages_and_returns(rewards, noisy, MASK, 0.99, 0.95)
    assert torch.equal(clean, dirty)
    assert returns[~MASK.bool()].abs().sum() == 0


def test_gae_equals_a_linear_filter_over_the_residuals() -> None:
    """A_t = sum of (gamma lam)^k delta_{t+k} is a first-order recursive filter, which SciPy has of its own."""
    signal = pytest.importorskip("scipy.signal")
    gamma, lam = 0.97, 0.9
    generator = torch.Generator().manual_seed(3)
    rewards = torch.randn(5, 9, generator=generator)
    values = torch.randn(5, 9, generator=generator)
    following = torch.cat([values[:, 1:], torch.zeros(5, 1)], dim=1)
    residuals = (rewards + gamma * following - values).numpy()
    expected = signal.lfilter([1.0], [1.0, -gamma * lam], residuals[:, ::-1], axis=1)[:, ::-1]
    ours, _ = f.advantages_and_returns(rewards, values, torch.ones(5, 9), gamma, lam)
    assert torch.allclose(ours, torch.tensor(expected.copy(), dtype=torch.float32), atol=1e-5)


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected", "share"),
    [
        (1.1, 2.0, -2.2, 0.0),  # inside the clip range: plain
        (1.5, 2.0, -2.4, 1.0),  # a gain beyond 1 + clip earns no more
        (0.5, -2.0, 1.6, 1.0),  # nor does a loss avoided beyond 1 - clip
        (1.5, -2.0, 3.0, 0.0),  # but going the wrong way is never clipped
    ],
)
def test_policy_loss_by_hand(ratio: float, advantage: float, expected: float, share: float) -> None:
    one = torch.ones(1, 1)
    loss, clipped = f.policy_loss(one * math.log(ratio), one * 0, one * advantage, one, clip=0.2)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert clipped.item() == share


def test_value_loss_takes_the_worse_of_plain_and_clipped() -> None:
    one = torch.ones(1, 1)
    # The value moved from 0 to 1 towards the return 1: unclipped it is right, clipped at 0.2 it is 0.8 away.
    assert f.value_loss(one, one * 0, one, one, clip=0.2).item() == pytest.approx(0.5 * 0.8**2)
    # It moved away from the return: the plain error is the worse one.
    assert f.value_loss(-one, one * 0, one, one, clip=0.2).item() == pytest.approx(0.5 * 2.0**2)


def test_approximate_kl_is_zero_for_equal_and_close_to_exact_for_near_distributions() -> None:
    same = torch.tensor([[-1.0, -2.0]])
    assert f.approximate_kl(same, same, torch.ones(1, 2)).item() == 0.0
    p = torch.tensor([0.5, 0.3, 0.2])
    q = torch.tensor([0.45, 0.35, 0.2])
    # The expectation of the estimator under p, computed exactly over the three outcomes.
    each = torch.stack(
        [f.approximate_kl(q[i].log().view(1, 1), p[i].log().view(1, 1), torch.ones(1, 1)) for i in range(3)]
    )
    exact = (p * (p.log() - q.log())).sum()
    assert (p * each).sum().item() == pytest.approx(exact.item(), rel=1e-4)


def test_sequence_kl_sums_tokens_and_averages_sequences() -> None:
    logprobs = torch.tensor([[-1.0, -1.0, -1.0, 7.0], [-2.0, 7.0, 7.0, 7.0]])
    reference = torch.tensor([[-1.5, -1.5, -1.5, 0.0], [-1.5, 0.0, 0.0, 0.0]])
    assert f.sequence_kl(logprobs, reference, MASK).item() == pytest.approx((1.5 - 0.5) / 2)


@pytest.mark.parametrize(
    ("kl", "factor"), [(0.04, 1 + 0.2 * 0.1), (0.0, 1 - 0.2 * 0.1), (0.022, 1 + 0.1 * 0.1)]
)
def test_adaptive_kl_by_hand(kl: float, factor: float) -> None:
    controller = f.AdaptiveKL(weight=0.5, target=0.02, horizon=100)
    controller.update(kl, sequences=10)
    assert controller.weight == pytest.approx(0.5 * factor)
