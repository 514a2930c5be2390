"""Serves the page without a host, under whatever gradio from 4.40 on is installed."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

# Before gradio is imported: it would report the start of the app to its makers.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr

from ..posi_core.errors import UsageError
from . import page

HOST = "127.0.0.1"
TITLE = "POSI Safe Prompt"
_ROOT = Path(__file__).resolve().parent.parent
_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]


def make(rules: page.Rules) -> tuple[gr.Blocks, dict[str, Any]]:
    """The app, and the arguments of `launch` that this gradio takes only there (the look moved in gradio 6)."""
    look = {
        # Named fonts of the system: gradio's own theme would ask Google for one.
        "theme": _theme(),
        "css": (_ROOT / "style.css").read_text(encoding="utf-8"),
        "head": f"<script>{(_ROOT / 'javascript' / 'posi.js').read_text(encoding='utf-8')}</script>",
    }
    taken = inspect.signature(gr.Blocks.launch).parameters
    here = {name: value for name, value in look.items() if name not in taken}
    with gr.Blocks(title=TITLE, analytics_enabled=False, **here) as app:
        menus = page.build(rules)
        app.load(page.refresh, None, menus)
    app.queue()
    later = {name: value for name, value in look.items() if name in taken}
    if "ssr_mode" in taken:
        later["ssr_mode"] = False  # would start a Node server beside this one
    if "footer_links" in taken:
        later["footer_links"] = []
    return app, later


def _theme() -> Any:
    theme = gr.themes.Default(
        primary_hue="teal", neutral_hue="slate", radius_size="lg", font=_FONTS, font_mono=["monospace"]
    )
    # White text needs a darker button than the theme's own to be readable (contrast 5.5 : 1).
    fills = ("button_primary_background_fill", "button_primary_background_fill_dark")
    hovers = ("button_primary_background_fill_hover", "button_primary_background_fill_hover_dark")
    return theme.set(
        **dict.fromkeys(fills, "*primary_700"),
        **dict.fromkeys(hovers, "*primary_800"),
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        body_background_fill="*neutral_50",
    )


def serve(rules: page.Rules, *, port: int | None = None, browser: bool = False) -> tuple[gr.Blocks, str]:
    """Starts the app on this computer's loopback address and returns it with its URL. UsageError: port taken."""
    app, arguments = make(rules)
    try:
        _, url, _ = app.launch(
            server_name=HOST,
            server_port=port,
            inbrowser=browser,
            prevent_thread_lock=True,
            quiet=True,
            show_error=True,
            **arguments,
        )
    except OSError as error:
        raise UsageError(f"The page cannot listen on {HOST}:{port or '7860-7959'}: {error}") from error
    return app, url
