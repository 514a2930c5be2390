"""State of the models: which files, what is loaded, how much it takes; load and unload."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ...posi_core.errors import PosiError
from ...posi_core.models import load_manifest
from ...posi_core.service import service
from .. import render
from .prompt import guarded
from .rules import Rules


def build(rules: Rules, tab: Any) -> None:
    """Draws the view; it is brought up to date each time its `tab` is opened."""

    def load() -> str:
        return guarded(lambda: _loaded(rules))

    def unload() -> str:
        service().unload()
        return render.notice("Unloaded. The next risky prompt loads it again.", kind="ok") + state()

    state_html = gr.HTML(state(), elem_id="posi_model_state")
    with gr.Row():
        refresh_button = gr.Button("Refresh", elem_id="posi_model_refresh")
        unload_button = gr.Button("Unload", elem_id="posi_model_unload")
        load_button = gr.Button("Load now", variant="primary", elem_id="posi_model_load")
    tab.select(state, None, [state_html])
    refresh_button.click(state, None, [state_html])
    unload_button.click(unload, None, [state_html])
    load_button.click(load, None, [state_html])


def state() -> str:
    """Engines and shipped files as tables."""
    engines = "".join(
        f"<h4>Rewriter</h4>{render.facts((name, shown(value)) for name, value in engine.items())}"
        for engine in service().status()["engines"]
    )
    return f'<div class="posi-state">{engines}{_files()}</div>'


def shown(value: Any) -> str:
    """A status value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "–"
    if isinstance(value, float):
        return f"{value:.2f}"
    return str(value)


def _loaded(rules: Rules) -> str:
    service().load(rules.model_path())
    return render.notice("Loaded.", kind="ok") + state()


def _files() -> str:
    try:
        entries = load_manifest().entries
    except PosiError as error:
        return render.notice(str(error), kind="error")
    rows = ((entry.role, f"{entry.file} · {_size(entry.bytes)} · {entry.license}") for entry in entries)
    return f"<h4>Files</h4>{render.facts(rows)}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{max(count / 1e3, 0.1):.1f} kB"
