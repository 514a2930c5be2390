"""The five views of the page, put together."""

from __future__ import annotations

import gradio as gr

from . import batch, history, model, policy, prompt
from .rules import Rules


def build(rules: Rules) -> None:
    """Draws the page into the surrounding `gr.Blocks`."""
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
                policy.build(rules, choices)
            with gr.Tab("Model", elem_id="posi_tab_model"):
                model.build(rules)
            with gr.Tab("History", elem_id="posi_tab_history") as tab:
                history.build(rules, tab)
