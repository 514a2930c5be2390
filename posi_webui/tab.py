"""The tab "POSI" of the host: the same page as `posi ui`, under the host's settings."""

from __future__ import annotations

from typing import Any

import gradio as gr

from . import page, settings


def build() -> list[tuple[Any, str, str]]:
    """What the host's `on_ui_tabs` expects: the blocks, the tab's title and its element id."""
    rules = page.Rules(
        syntax="a1111",
        policy=lambda: settings.current().policy,
        may_edit=lambda: settings.current().edit_policies,
        may_see_history=lambda: settings.current().show_history,
        model_path=lambda: settings.model_path(settings.current()),
        seconds=lambda: float(settings.current().seconds),
    )
    with gr.Blocks(analytics_enabled=False) as blocks:
        page.build(rules)
    return [(blocks, "POSI", "posi_tab")]
