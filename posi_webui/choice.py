"""What counts for one generation, once the admin's switches are applied to what a page or client asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import policies

STOP = "Generate nothing"
FOLLOW = "Do what the policy says"
ON_BLOCK: tuple[str, ...] = (STOP, FOLLOW)


@dataclass(frozen=True)
class Settings:
    """The host's settings page as plain data; the field docs are the reference.

    `enabled`, `policy`, `on_block`: where the accordion starts and what clients get that say nothing.
    `enforce`: nobody can switch POSI off or take a weaker policy. `enforce_api`: the same for API clients only.
    `seconds`: time allowed for one prompt, then it is blocked. `store_original`: write the raw prompt into the
    infotext. `model`: a GGUF file of the host's models folder, empty for the shipped one. `edit_policies`: the
    tab may save and delete policies. `show_history`: the tab shows recent prompts (kept in memory only).
    """

    enabled: bool = True
    policy: str = "standard"
    on_block: str = STOP
    enforce: bool = False
    enforce_api: bool = True
    seconds: int = 60
    store_original: bool = False
    model: str = ""
    edit_policies: bool = True
    show_history: bool = True


@dataclass(frozen=True)
class Choice:
    """The rules of one generation: on or off, the policy's name and what a block does."""

    enabled: bool
    policy: str
    stop_on_block: bool


def decide(settings: Settings, args: Sequence[Any], *, api: bool, axis_policy: str | None = None) -> Choice:
    """Rules from the script's arguments (enabled, policy, on a block). Whatever is missing or odd counts as "on".

    `axis_policy` is the value of an X/Y/Z plot; it is bound by the same switches.
    """
    enforced = settings.enforce or (api and settings.enforce_api)
    enabled, policy, on_block = (*args, None, None, None)[:3]
    wanted = axis_policy or policy or settings.policy
    if not isinstance(wanted, str):
        wanted = settings.policy
    if enforced:
        wanted = policies.allowed(wanted, settings.policy)
    # An enforced "Generate nothing" stays: a client must not turn a stop into a replacement picture.
    follows = settings.on_block == FOLLOW if enforced or on_block not in ON_BLOCK else on_block == FOLLOW
    return Choice(
        enabled=enforced or not _is_off(enabled, settings.enabled), policy=wanted, stop_on_block=not follows
    )


def _is_off(value: Any, default: bool) -> bool:
    if value is None:
        return not default
    if isinstance(value, str):
        return value.strip().lower() in ("false", "off", "no", "0")
    return value is False or (isinstance(value, (int, float)) and value == 0)
