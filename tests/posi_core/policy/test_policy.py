"""Policies: presets, files, errors that name the key, round trip through TOML."""

from __future__ import annotations

import pytest
from posi.posi_core.errors import PolicyError
from posi.posi_core.policy import PRESETS, load_policy, policy_from_mapping, policy_from_toml, policy_to_toml
from posi.posi_core.policy.policy import LIMIT_KEYS
from posi.posi_core.verdict import CATEGORIES, Risk


def risk(overall=0.0, **categories):
    return Risk(overall, {name: categories.get(name.replace("-", "_"), 0.0) for name in CATEGORIES})


def test_presets_grow_stricter():
    relaxed, standard, strict = (load_policy(name) for name in PRESETS)
    for key in LIMIT_KEYS:
        assert relaxed.thresholds[key] >= standard.thresholds[key] >= strict.thresholds[key]
        assert relaxed.accept[key] >= standard.accept[key] >= strict.accept[key]


@pytest.mark.parametrize("name", PRESETS)
def test_policy_survives_toml(name):
    policy = load_policy(name)
    assert policy_from_toml(policy_to_toml(policy)) == policy


def test_odd_texts_survive_toml():
    policy = policy_from_mapping(
        {
            "terms": {"blocked": ['say "no"', "back\\slash", "tab\there"]},
            "block": {"replacement": "line\nline\x7f"},
        }
    )
    assert policy_from_toml(policy_to_toml(policy)) == policy


def test_file_of_two_lines(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('base = "strict"\n[thresholds]\nviolence = 0.05\n', encoding="utf-8")
    policy, base = load_policy(path), load_policy("strict")
    assert policy.name == "mine"
    assert policy.thresholds["violence"] == 0.05
    assert policy.accept["violence"] == 0.05
    assert policy.thresholds["hate"] == base.thresholds["hate"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[thresholds]\nviolence = 1.5", ["thresholds.violence", "1.5", "0 to 1"]),
        ("[thresholds]\nviolence = true", ["thresholds.violence", "0 to 1"]),
        ("[thresholds]\nviolense = 0.5", ["thresholds.violense", "violence"]),
        ("thresholds = 3", ["thresholds", "table"]),
        ("[rewriting]\ncandidates = 0", ["rewriting.candidates", "1 to 8"]),
        ("[rewriting]\ncandidates = 2.5", ["rewriting.candidates", "whole"]),
        ("[rewriting]\ncolour = 1", ["rewriting.colour", "rounds"]),
        ("[rewriting]\nundo_below = 1.5", ["rewriting.undo_below", "0 to 1"]),
        ("[rewriting]\nrisk_price = 11", ["rewriting.risk_price", "0 to 10"]),
        ('[block]\non_block = "ignore"', ["on_block", "raise, replace, empty"]),
        ('[terms]\nblocked = "gun"', ["blocked_terms", "list"]),
        ('[terms]\nblocked = [" "]', ["blocked_terms", "1 to 200"]),
        ('base = "lax"', ["base", "relaxed, standard, strict"]),
        ("minors = false", ["minors", "not a key"]),
        ("[thresholds\n", ["TOML"]),
        ("[accept]\nhate = 0.9", ["accept.hate", "thresholds.hate"]),
        ("[networks]\nonly_allowed = 1", ["only_allowed", "true or false"]),
        ("[thresholds]\nhate = nan", ["thresholds.hate"]),
    ],
)
def test_errors_name_key_and_range(text, words):
    with pytest.raises(PolicyError) as caught:
        policy_from_toml(text)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_and_unreadable_files(tmp_path):
    with pytest.raises(PolicyError, match="relaxed, standard, strict"):
        load_policy("mild")
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(tmp_path / "absent.toml")
    broken = tmp_path / "broken.toml"
    broken.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(broken)


def test_identity_follows_every_setting():
    standard = policy_from_mapping({"name": "p"})
    assert standard.identity == policy_from_mapping({"name": "p"}).identity
    for change in (
        {"thresholds": {"hate": 0.01}},
        {"terms": {"allowed": ["bloody mary"]}},
        {"rewriting": {"rounds": 0}},
        {"negative": {"additions": "gore"}},
    ):
        assert policy_from_mapping({"name": "p", **change}).identity != standard.identity


def test_exceeded_is_at_or_over_and_nan_counts():
    policy = policy_from_mapping({"thresholds": {"violence": 0.4, "hate": 1.0}})
    assert policy.exceeded(risk(violence=0.39)) == []
    assert [name for name, *_ in policy.exceeded(risk(violence=0.4))] == ["violence"]
    assert policy.exceeded(risk(hate=1.0)) == []  # 1 switches a category off
    assert policy.exceeded(risk(float("nan"))) != []
