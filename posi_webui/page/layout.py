"""The five views of the page, put together."""

from __future__ import annotations

from typing import Any

import gradio as gr

from .. import policies
from . import batch, history, model, policy, prompt
from .rules import Rules


def build(rules: Rules) -> list[Any]:
    """Draws the page into the surrounding `gr.Blocks`; gives back its menus of policies (see `refresh`)."""
    with gr.Column(elem_id="posi_page", elem_classes=["posi"]):
        gr.HTML(
            '<header class="posi-title"><h2>POSI <small>Safe Prompt</small></h2>'
            "<p>Rewrites risky prompts on this computer before an image model sees them.</p></header>"
        )
        with gr.Tabs(elem_id="posi_tabs"):
            with gr.Tab("Prompt", elem_id="posi_tab_prompt"):
                choices = [prompt.build(rules)]
            with gr.Tab("Batch", elem_id="posi_tab_batch"):
                choices.append(batch.build(rules))
            with gr.Tab("Policy", elem_id="posi_tab_policy"):
                menus = policy.build(rules, choices)
            with gr.Tab("Model", elem_id="posi_tab_model") as tab:
                model.build(rules, tab)
            with gr.Tab("History", elem_id="posi_tab_history") as tab:
                history.build(rules, tab)
    return menus


def refresh() -> list[Any]:
    """Today's policies for the menus: gradio keeps the choices of the moment when the page was built."""
    return [gr.update(choices=policies.names()) for _ in range(3)]
