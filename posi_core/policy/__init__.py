"""What is allowed: thresholds, terms, network names, what to do with a block. Data, validated."""

from __future__ import annotations

from .load import PRESETS, load_policy, policy_from_mapping, policy_from_toml, policy_to_toml
from .minors import minors_reason
from .policy import OnBlock, Policy
from .terms import matching_networks, matching_terms, without_terms

__all__ = [
    "PRESETS",
    "OnBlock",
    "Policy",
    "load_policy",
    "matching_networks",
    "matching_terms",
    "minors_reason",
    "policy_from_mapping",
    "policy_from_toml",
    "policy_to_toml",
    "without_terms",
]
