"""Blocked and allowed terms, network names."""

from __future__ import annotations

import pytest
from posi.posi_core.policy import matching_networks, matching_terms, policy_from_mapping, without_terms


@pytest.mark.parametrize(
    ("term", "text", "found"),
    [
        ("gore", "GORE everywhere", ["GORE"]),
        ("gore", "gorefest", []),
        ("gore*", "a Gorefest", ["Gorefest"]),
        ("*punk", "steampunk city", ["steampunk"]),
        ("bloody mary", "one bloody \n mary, please", ["bloody \n mary"]),
        ("c++", "c++ code", ["c++"]),
        ("a.b", "axb", []),
    ],
)
def test_terms_match_whole_words(term, text, found):
    assert matching_terms((term,), [text]) == found


def test_allowed_terms_are_taken_out_before_scoring():
    assert without_terms(("bloody mary",), "a Bloody  Mary on ice") == "a on ice"
    assert without_terms(("bloody mary",), "  two  spaces ") == "  two  spaces "


def test_networks():
    policy = policy_from_mapping({"networks": {"allowed": ["style_*"], "blocked": ["*nsfw*"]}})
    assert matching_networks(policy, ["Style_Oil", "my_NSFW_one", "detail", "detail"]) == (
        ["my_NSFW_one"],
        ["detail"],
    )
    closed = policy_from_mapping({"networks": {"allowed": ["style_*"], "only_allowed": True}})
    assert matching_networks(closed, ["style_oil", "detail"]) == (["detail"], [])
