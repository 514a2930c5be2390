"""The host's settings page: one option for each field of `choice.Settings`."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

from modules import paths, shared

from . import policies
from .choice import FOLLOW, ON_BLOCK, Settings

SECTION = ("posi", "POSI Safe Prompt")
PREFIX = "posi_"

_LABELS: dict[str, tuple[str, str]] = {
    "enabled": ("Start switched on", "also for API clients that do not mention POSI"),
    "policy": ("Strictness", "a preset, or a policy of your own from the POSI tab"),
    "on_block": ("When a prompt is blocked", f"“{FOLLOW}” may continue with the policy's replacement text"),
    "enforce": (
        "Admin: always on, for everybody",
        "nobody can switch POSI off or choose anything but this strictness or a stricter preset",
    ),
    "enforce_api": ("Admin: always on for API clients", "the same, for API clients only"),
    "seconds": ("Seconds allowed for one prompt", "then it is blocked"),
    "store_original": ("Write the original prompt into the picture's infotext", "off: it is never stored"),
    "model": ("Rewriter model", "GGUF files in models/posi; empty: the model that comes with POSI"),
    "edit_policies": ("The POSI tab may save and delete policies", ""),
    "show_history": (
        "The POSI tab shows recent prompts",
        "of everybody who uses this server; never written to disk",
    ),
}


def models_folder() -> Path:
    """Where users put rewriter models of their own."""
    return Path(paths.models_path) / "posi"


def model_names() -> list[str]:
    """File names a user may choose; the empty one is the shipped model."""
    return ["", *sorted(path.name for path in models_folder().glob("*.gguf"))]


def register() -> None:
    """Adds the options to the host. API clients can set none of them (`restrict_api`)."""
    import gradio as gr

    components: dict[str, tuple[Any, Any]] = {
        "policy": (gr.Dropdown, lambda: {"choices": policies.names()}),
        "on_block": (gr.Radio, {"choices": list(ON_BLOCK)}),
        "seconds": (gr.Slider, {"minimum": 1, "maximum": 600, "step": 1}),
        "model": (gr.Dropdown, lambda: {"choices": model_names()}),
    }
    for field in dataclasses.fields(Settings):
        label, note = _LABELS[field.name]
        component, arguments = components.get(field.name, (None, None))
        option = shared.OptionInfo(field.default, label, component, arguments, section=SECTION)
        option.restrict_api = True
        if note:
            option.info(note)
        shared.opts.add_option(PREFIX + field.name, option)


def keep_from_api() -> None:
    """Takes POSI's options out of what API clients set in Forge, whose `/sdapi/v1/options` forgets `restrict_api`.

    A1111 minds it and has no such function. Forge's settings page does not go through it.
    """
    try:
        from modules import sysinfo
    except ImportError:
        return
    set_config = getattr(sysinfo, "set_config", None)
    if set_config is None or hasattr(set_config, "__wrapped__"):
        return

    @functools.wraps(set_config)
    def without_posi(req: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        return set_config(
            {key: value for key, value in req.items() if not key.startswith(PREFIX)}, *args, **kwargs
        )

    sysinfo.set_config = without_posi


def current() -> Settings:
    """The settings as they stand. A value of the wrong type counts as not set."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        value = getattr(shared.opts, PREFIX + field.name, field.default)
        if field.name == "seconds" and isinstance(value, float):
            value = int(value)
        values[field.name] = value if type(value) is type(field.default) else field.default
    return Settings(**values)


def model_path(settings: Settings) -> Path | None:
    """The chosen rewriter's file; None for the shipped one."""
    # Only the file's name counts, so that a setting can name nothing outside the folder.
    return models_folder() / Path(settings.model).name if settings.model else None
