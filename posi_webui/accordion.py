"""The accordion in txt2img and img2img, and the panel below the pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from . import infotext, policies, runs
from .choice import ON_BLOCK, Settings

TITLE = "POSI Safe Prompt"

_panels: dict[str, Any] = {}


def build(elem_id: Callable[[str], str], settings: Settings) -> tuple[list[Any], list[tuple[Any, Any]]]:
    """The controls in the order of the script's arguments (enabled, strictness, on a block), and what pasting an
    infotext sets. Called again by the host to read the defaults for API clients."""
    with _input_accordion(settings.enabled, elem_id("enabled")) as enabled:
        if settings.enforce:
            gr.HTML('<p class="posi posi-sub">Always on: set by the admin of this server.</p>')
        with gr.Row():
            policy = gr.Dropdown(
                label="Strictness",
                choices=policies.names(),
                value=settings.policy,
                elem_id=elem_id("policy"),
            )
            on_block = gr.Radio(
                label="When a prompt is blocked",
                choices=list(ON_BLOCK),
                value=settings.on_block,
                elem_id=elem_id("on_block"),
            )

    def pasted_policy(params: dict[str, Any]) -> Any:
        name = infotext.pasted_policy(params)
        return gr.update(value=name) if name in policies.names() else gr.update()

    # An infotext without POSI leaves the switch alone: pasting must never turn the protection off.
    fields = [
        (enabled, lambda params: gr.update(value=True) if infotext.ACTION in params else gr.update()),
        (policy, pasted_policy),
    ]
    return [enabled, policy, on_block], fields


def attach_panel(component: Any, elem_id: str | None) -> None:
    """Puts the panel below the host's log and fills it whenever a generation has ended."""
    tabs = ("txt2img", "img2img")
    for name in tabs:
        if elem_id == f"html_log_{name}":
            _panels[name] = (component, gr.HTML(value="", elem_id=f"posi_panel_{name}"))
        elif elem_id == f"generation_info_{name}" and name in _panels:
            log, panel = _panels.pop(name)
            log.change(fn=runs.panel, inputs=[component], outputs=[panel], show_progress="hidden")


def _input_accordion(value: bool, elem_id: str) -> Any:
    try:
        from modules.ui_components import InputAccordion
    except ImportError:
        return _PlainAccordion(value, elem_id)
    return InputAccordion(value, label=TITLE, elem_id=elem_id)


class _PlainAccordion:
    """For hosts without `InputAccordion`: an accordion with a checkbox in it; entering it gives the checkbox."""

    def __init__(self, value: bool, elem_id: str) -> None:
        self._value, self._elem_id = value, elem_id

    def __enter__(self) -> Any:
        self._accordion = gr.Accordion(TITLE, open=False)
        self._accordion.__enter__()
        return gr.Checkbox(label="Enabled", value=self._value, elem_id=self._elem_id)

    def __exit__(self, *error: Any) -> None:
        self._accordion.__exit__(*error)
