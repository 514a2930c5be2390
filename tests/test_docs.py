"""What the documents say of policies, routes and variables is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from posi.nodes import settings
from posi.posi_core import service
from posi.posi_core.policy import policy_from_toml, policy_to_toml

ROOT = Path(__file__).parents[1]
POLICY = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
SERVERS = (ROOT / "docs" / "servers.md").read_text(encoding="utf-8")
COMFYUI = (ROOT / "docs" / "comfyui.md").read_text(encoding="utf-8")


def test_the_policy_shown_is_valid_and_does_what_it_says() -> None:
    example = re.search(r"^```toml\n(.*?)^```", POLICY, flags=re.M | re.S)
    assert example is not None
    policy = policy_from_toml(example.group(1))
    assert (policy.name, policy.on_block, policy.thresholds["violence"]) == ("our studio", "replace", 0.7)


def test_every_key_of_a_policy_is_described() -> None:
    section = ""
    for line in policy_to_toml(policy_from_toml("")).splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif section and section not in ("thresholds", "accept") and line:
            assert f"`{section}.{line.partition(' = ')[0]}`" in POLICY


def test_routes_limits_and_variables() -> None:
    for route in re.findall(r"`(?:POST|GET) /posi/v1/(\w+)`", SERVERS):
        assert route in service.ROUTES
    assert f"{service.MAX_CHARACTERS:,} characters" in SERVERS
    assert f"{service.MAX_PROMPTS} prompts" in SERVERS
    for variable in (settings.MODE_VARIABLE, settings.POLICY_VARIABLE, settings.REDACT_VARIABLE):
        assert f"`{variable}`" in COMFYUI
    for mode in settings.MODES:
        assert f"`{mode}`" in COMFYUI
