"""Recent verdicts of this process. Kept in memory only."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ...posi_core.service import service
from .. import render
from .rules import Rules

SHOWN = 50


def build(rules: Rules, tab: Any) -> None:
    """Draws the view; it is filled each time its `tab` is opened."""

    def show() -> str:
        if not rules.may_see_history():
            return render.notice("The history is switched off on this server.")
        return render.verdict_list(service().history[:SHOWN], empty="No prompt was rewritten or checked yet.")

    def clear() -> str:
        if rules.may_see_history():
            service().clear_history()
        return show()

    listed = gr.HTML(render.notice("No prompt was rewritten or checked yet."), elem_id="posi_history")
    with gr.Row():
        refresh_button = gr.Button("Refresh", elem_id="posi_history_refresh")
        clear_button = gr.Button("Forget all", elem_id="posi_history_clear")
    gr.HTML('<p class="posi-sub">The newest prompts of this session; they are never written to disk.</p>')
    tab.select(show, None, [listed])
    refresh_button.click(show, None, [listed])
    clear_button.click(clear, None, [listed])
