"""Policies from TOML: presets inside the package, files of the user, texts typed into a page."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import PolicyError
from .policy import Policy

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PRESETS: tuple[str, ...] = ("relaxed", "standard", "strict")
MAX_FILE_BYTES = 1_000_000

_SECTIONS: dict[str, dict[str, str]] = {
    "rewriting": {
        "candidates": "candidates",
        "rounds": "rounds",
        "temperature": "temperature",
        "similarity_floor": "similarity_floor",
        "drop_words": "drop_words",
        "undo_below": "undo_below",
        "risk_price": "risk_price",
    },
    "block": {"on_block": "on_block", "replacement": "replacement"},
    "terms": {"blocked": "blocked_terms", "allowed": "allowed_terms"},
    "negative": {"additions": "negative_additions"},
    "networks": {
        "allowed": "allowed_networks",
        "blocked": "blocked_networks",
        "only_allowed": "only_allowed_networks",
    },
}
_LIMITS = ("thresholds", "accept")


def load_policy(name_or_path: str | Path | Policy = "standard") -> Policy:
    """A preset by name or a policy file by path. PolicyError names what is wrong and what is allowed."""
    if isinstance(name_or_path, Policy):
        return name_or_path
    if isinstance(name_or_path, str) and name_or_path in PRESETS:
        return _preset(name_or_path)
    path = Path(name_or_path)
    if path.suffix.lower() != ".toml" and not path.is_file():
        raise PolicyError(
            f"Policy {str(name_or_path)[:80]!r} is not known: use {', '.join(PRESETS)} or the path of a .toml file."
        )
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise PolicyError(f"Policy file {path} is larger than {MAX_FILE_BYTES:,} bytes.")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"Policy file {path} cannot be read: {error}.") from error
    return policy_from_toml(text, name=path.stem)


def policy_from_toml(text: str, *, name: str = "custom") -> Policy:
    """A policy from TOML text in the layout of the presets; what is left out comes from `base`."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"The policy is not valid TOML: {error}.") from error
    return policy_from_mapping(data, name=name)


def policy_from_mapping(data: Mapping[str, Any], *, name: str = "custom") -> Policy:
    """A policy from parsed TOML or JSON. `base` names the preset it starts from ("standard" if left out).

    A threshold that is set lower than the base's `accept` pulls `accept` down with it, so that a file of two
    lines works.
    """
    base = data.get("base", "standard")
    if base not in PRESETS:
        raise PolicyError(f"base is {str(base)[:40]!r}: one of {', '.join(PRESETS)}.")
    return _build(data, _layout(_preset(base)), name)


def policy_to_toml(policy: Policy) -> str:
    """The whole policy as TOML text that `policy_from_toml` reads back to an equal policy."""
    layout = _layout(policy)
    lines = [f"name = {_toml(layout.pop('name'))}"]
    for section, table in layout.items():
        lines += ["", f"[{section}]"]
        lines += [f"{_key(key)} = {_toml(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=len(PRESETS))
def _preset(name: str) -> Policy:
    text = (Path(__file__).parent / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    return _build(tomllib.loads(text), {}, name)


def _build(data: Mapping[str, Any], base: Mapping[str, Any], name: str) -> Policy:
    for key in data:
        if key not in ("base", "name", *_LIMITS, *_SECTIONS):
            raise PolicyError(
                f"{key} is not a key of a policy: use base, name, {', '.join((*_LIMITS, *_SECTIONS))}."
            )
    fields: dict[str, Any] = {"name": data.get("name", name)}
    for key in _LIMITS:
        fields[key] = {**base.get(key, {}), **_table(data, key)}
    own_accept = _table(data, "accept")
    for limit, value in fields["accept"].items():
        ceiling = fields["thresholds"].get(limit)
        if limit not in own_accept and _is_number(ceiling) and _is_number(value):
            fields["accept"][limit] = min(value, ceiling)
    for section, names in _SECTIONS.items():
        table = _table(data, section)
        for key in table:
            if key not in names:
                raise PolicyError(f"{section}.{key} is not known: use {', '.join(names)}.")
        for key, value in {**base.get(section, {}), **table}.items():
            fields[names[key]] = value
    return Policy(**fields)


def _layout(policy: Policy) -> dict[str, Any]:
    layout: dict[str, Any] = {"name": policy.name}
    for key in _LIMITS:
        layout[key] = dict(getattr(policy, key))
    for section, names in _SECTIONS.items():
        layout[section] = {key: getattr(policy, attribute) for key, attribute in names.items()}
    return layout


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = data.get(key, {})
    if not isinstance(table, Mapping):
        raise PolicyError(f"{key} is {str(table)[:40]!r}: a table, written [{key}].")
    return table


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _key(key: str) -> str:
    return _toml(key) if " " in key else key


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return '"' + "".join(_escape(character) for character in value) + '"'


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return f"\\u{ord(character):04X}" if ord(character) < 32 or ord(character) == 127 else character
