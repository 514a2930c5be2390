"""The policy editor: presets to start from, live validation, own policies saved by name."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ...posi_core.errors import PosiError
from ...posi_core.policy import PRESETS, Policy
from .. import policies, render
from .rules import Rules


def build(rules: Rules, menus: list[Any]) -> list[Any]:
    """Draws the view. `menus` are the other views' strictness menus: saving and deleting updates their choices.
    Gives back every menu of policies on the page."""

    def show(name: str) -> tuple[str, str]:
        try:
            return policies.source(name), "" if name in PRESETS else name
        except (PosiError, OSError) as error:
            return f"# {error}\n", ""

    def validate(text: str) -> str:
        try:
            return described(policies.validate(text or ""))
        except PosiError as error:
            return render.notice(str(error), kind="error")

    def save(name: str, text: str) -> list[Any]:
        if not rules.may_edit():
            return answer(render.notice("Saving policies is switched off on this server.", kind="error"))
        try:
            policy = policies.save(name or "", text or "")
        except (PosiError, OSError) as error:
            return answer(render.notice(str(error), kind="error"))
        return answer(render.notice(f"Saved as “{policy.name}”.", kind="ok"), name.strip().lower())

    def delete(name: str, *chosen: str) -> list[Any]:
        if not rules.may_edit():
            return answer(render.notice("Deleting policies is switched off on this server.", kind="error"))
        try:
            policies.delete(name)
        except (PosiError, OSError) as error:
            return answer(render.notice(str(error), kind="error"))
        updates = answer(render.notice(f"Deleted “{name}”.", kind="ok"), "standard")
        # A menu that still stands on the deleted policy would fail at the next click.
        return updates[:2] + [
            gr.update(choices=policies.names(), value="standard" if value == name else value)
            for value in chosen
        ]

    def answer(message: str, chosen: str | None = None) -> list[Any]:
        if chosen is None:
            return [message, *(gr.update() for _ in (source, *menus))]
        choices = policies.names()
        return [
            message,
            gr.update(choices=choices, value=chosen),
            *(gr.update(choices=choices) for _ in menus),
        ]

    with gr.Row(elem_classes=["posi-split"]):
        with gr.Column(scale=3, min_width=280):
            source = gr.Dropdown(
                label="Policy", choices=policies.names(), value=rules.policy(), elem_id="posi_policy_source"
            )
            text = gr.Textbox(
                label="Rules (TOML)",
                value=show(rules.policy())[0],
                lines=22,
                max_lines=40,
                elem_id="posi_policy_text",
                elem_classes=["posi-code"],
            )
        with gr.Column(scale=2, min_width=280):
            with gr.Row():
                name = gr.Textbox(
                    label="Name of your policy", value=show(rules.policy())[1], elem_id="posi_policy_name"
                )
            with gr.Row():
                delete_button = gr.Button("Delete", elem_id="posi_policy_delete")
                save_button = gr.Button("Save", variant="primary", elem_id="posi_policy_save")
            message = gr.HTML(
                render.notice("Presets stay as they are: save changed rules under a name of your own."),
                elem_id="posi_policy_message",
            )
            check = gr.HTML(validate(show(rules.policy())[0]), elem_id="posi_policy_check")
    source.change(show, [source], [text, name])
    text.change(validate, [text], [check], show_progress="hidden")
    outputs = [message, source, *menus]
    save_button.click(save, [name, text], outputs)
    delete_button.click(delete, [source, *menus], outputs)
    return [source, *menus]


def described(policy: Policy) -> str:
    """A valid policy in words: its limits as bars and what it does otherwise."""
    rows = [
        (
            "blocked prompts",
            {"raise": "stop the run", "empty": "become empty"}.get(policy.on_block, "are replaced"),
        ),
        ("rewrites tried", f"{policy.candidates} at a time, {policy.rounds} rounds"),
        ("meaning kept at least", render.percent(policy.similarity_floor)),
        ("own blocked terms", str(len(policy.blocked_terms))),
        ("own allowed terms", str(len(policy.allowed_terms))),
        ("added to the negative prompt", policy.negative_additions or "nothing"),
    ]
    valid = render.notice("These rules are valid.", kind="ok")
    return f'<div class="posi-state">{valid}{render.limits(policy.thresholds)}{render.facts(rows)}</div>'
