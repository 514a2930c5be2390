"""What the server's owner set: enforcement, its strictness, metadata redaction.

An environment variable wins over the settings page, since everybody who reaches the page can change it. With
`--multi-user` a queued prompt does not say whose it is, so only the variables count there.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from ..posi_core.errors import UsageError
from ..posi_core.policy import PRESETS, Policy, load_policy

Mode = Literal["off", "refuse", "rewrite"]
MODES: tuple[str, ...] = get_args(Mode)

MODE_VARIABLE = "POSI_ENFORCE"
POLICY_VARIABLE = "POSI_ENFORCE_POLICY"
REDACT_VARIABLE = "POSI_REDACT_METADATA"

MODE_SETTING = "POSI.Enforcement.Mode"
STRICTNESS_SETTING = "POSI.Enforcement.Strictness"
REDACT_SETTING = "POSI.Metadata.Redact"

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"", "0", "false", "no", "off"}
_last_page: dict[str, Any] = {}


@dataclass(frozen=True)
class Settings:
    """`policy` is a preset's name or, from the environment only, the path of a policy file. `locked` names the
    settings that the environment decides."""

    mode: Mode = "off"
    policy: str = "standard"
    redact: bool = False
    locked: tuple[str, ...] = ()

    def floor(self) -> Policy | None:
        """The policy that nobody may go under, None while enforcement is off. Raises PolicyError."""
        return None if self.mode == "off" else load_policy(self.policy)


def current() -> Settings:
    """Read afresh on every call (a small file). Raises UsageError on a variable with a value out of range."""
    page = _settings_page()
    locked = []
    mode, policy, redact = page.get(MODE_SETTING), page.get(STRICTNESS_SETTING), page.get(REDACT_SETTING)
    if MODE_VARIABLE in os.environ:
        mode = os.environ[MODE_VARIABLE].strip().lower() or "off"
        locked.append(MODE_SETTING)
        if mode not in MODES:
            raise UsageError(f"{MODE_VARIABLE} is {mode!r}: one of {', '.join(MODES)}.")
    if POLICY_VARIABLE in os.environ:
        policy = os.environ[POLICY_VARIABLE].strip()
        locked.append(STRICTNESS_SETTING)
    elif policy not in PRESETS:
        policy = "standard"
    if REDACT_VARIABLE in os.environ:
        word = os.environ[REDACT_VARIABLE].strip().lower()
        if word not in _TRUE | _FALSE:
            raise UsageError(f"{REDACT_VARIABLE} is {word!r}: 1 or 0.")
        redact = word in _TRUE
        locked.append(REDACT_SETTING)
    return Settings(
        mode=cast(Mode, mode) if mode in MODES else "off",
        policy=str(policy or "standard"),
        redact=redact is True,
        locked=tuple(locked),
    )


def _settings_page() -> dict[str, Any]:
    import folder_paths
    from comfy.cli_args import args

    if getattr(args, "multi_user", False):
        return {}
    path = Path(folder_paths.get_user_directory()) / "default" / "comfy.settings.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        # ComfyUI truncates the file before it writes it, so a half-written one must not open the gate.
        logging.warning("POSI: %s cannot be read (%s); the last settings read stay in force.", path, error)
        return _last_page
    _last_page.clear()
    _last_page.update(data if isinstance(data, dict) else {})
    return dict(_last_page)
