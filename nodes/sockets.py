"""Socket types of POSI: what travels on the POLICY and MODEL wires."""

from __future__ import annotations

from comfy_api.latest import io

CATEGORY = "POSI"

PolicySocket = io.Custom("POSI_POLICY")
"""Carries a `posi_core.policy.Policy`."""

ModelSocket = io.Custom("POSI_MODEL")
"""Carries a `posi_core.safe_prompt.ModelChoice`."""
