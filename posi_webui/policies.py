"""Policies by name: the presets and the user's own files, without ever taking a path from a client."""

from __future__ import annotations

import re
from pathlib import Path

from ..posi_core.errors import PolicyError
from ..posi_core.models import data_dir
from ..posi_core.policy import PRESETS, Policy, load_policy, policy_from_toml, policy_to_toml

_NAME = re.compile(r"[a-z0-9][a-z0-9_ -]{0,39}")


def folder() -> Path:
    """Where own policies lie, one TOML file each."""
    return data_dir() / "policies"


def names() -> list[str]:
    """The presets from mild to strict, then own policies in alphabetical order."""
    own = (path.stem for path in folder().glob("*.toml"))
    return [*PRESETS, *sorted(name for name in own if _NAME.fullmatch(name) and name not in PRESETS)]


def load(name: str) -> Policy:
    """The policy of that name; PolicyError if there is none or its file is wrong."""
    if name in PRESETS:
        return load_policy(name)
    if not isinstance(name, str) or not _NAME.fullmatch(name) or not (folder() / f"{name}.toml").is_file():
        raise PolicyError(f"Policy {str(name)[:60]!r} is not known: use {', '.join(names())}.")
    return load_policy(folder() / f"{name}.toml")


def source(name: str) -> str:
    """TOML text of a policy, ready to edit. An own file comes back as it was written, even a broken one."""
    if name not in PRESETS and _NAME.fullmatch(name) and (folder() / f"{name}.toml").is_file():
        return (folder() / f"{name}.toml").read_text(encoding="utf-8")
    return policy_to_toml(load(name))


def validate(text: str) -> Policy:
    """The policy that the text describes; PolicyError names the key and the allowed range."""
    return policy_from_toml(text)


def save(name: str, text: str) -> Policy:
    """Validates the text and keeps it under `name`. A preset cannot be overwritten."""
    name = name.strip().lower()
    if name in PRESETS:
        raise PolicyError(f"{name!r} is a preset: choose another name for your own policy.")
    if not _NAME.fullmatch(name):
        raise PolicyError(
            f"Name {name[:60]!r} cannot be used: 1 to 40 letters, digits, spaces, hyphens or underscores."
        )
    policy = policy_from_toml(text, name=name)
    folder().mkdir(parents=True, exist_ok=True)
    # Written beside and renamed: a crash in between leaves the old policy, never half of a new one.
    part = folder() / f"{name}.part"
    part.write_text(text, encoding="utf-8")
    part.replace(folder() / f"{name}.toml")
    return policy


def delete(name: str) -> None:
    """Removes an own policy; PolicyError for a preset or an unknown name."""
    if name in PRESETS:
        raise PolicyError(f"{name!r} is a preset and stays.")
    path = folder() / f"{name}.toml"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise PolicyError(f"Policy {name[:60]!r} is not known.")
    path.unlink()


def allowed(wanted: str, floor: str) -> str:
    """The policy that counts where `floor` is enforced: a stricter preset than a floor preset, else the floor."""
    if wanted in PRESETS and floor in PRESETS and PRESETS.index(wanted) >= PRESETS.index(floor):
        return wanted
    return floor
