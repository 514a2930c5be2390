"""The pipeline on stand-ins, for tests that read as a story."""

from __future__ import annotations

from fakes import LIMITS, FakeEncoder, FakeEngine, FakeScorer
from posi.posi_core.policy import policy_from_mapping
from posi.posi_core.safe_prompt import SafePrompter

KNIGHT = "a bloody knight on a hill, oil painting"


def prompter(engine=None, *, scorer=None, policy="standard", cache=False, **rules):
    return SafePrompter(
        policy_from_mapping({"base": policy, **LIMITS, **rules}),
        engine=engine or FakeEngine(),
        scorer=scorer or FakeScorer(),
        encoder=FakeEncoder(),
        cache=cache,
    )
