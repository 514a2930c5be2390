"""Try a prompt: before and after by word, bars by category, heat map."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ...posi_core.errors import PosiError
from ...posi_core.service import MAX_CHARACTERS, service
from ...posi_core.syntax import SyntaxName
from .. import policies, render
from .rules import Rules

SYNTAXES = [("Plain text", "plain"), ("A1111/Forge", "a1111"), ("ComfyUI", "comfyui")]
EXAMPLE = "a bloody battle between two knights, oil painting, dramatic light"


def build(rules: Rules) -> Any:
    """Draws the view; gives back its strictness menu, whose choices follow the saved policies."""

    def rewrite(text: str, policy: str, syntax: SyntaxName) -> str:
        return guarded(lambda: _rewrite(rules, text, policy, syntax))

    def check(text: str, policy: str, syntax: SyntaxName) -> str:
        return guarded(lambda: _check(rules, text, policy, syntax))

    with gr.Row(elem_classes=["posi-split"]):
        with gr.Column(scale=1, min_width=280):
            text = gr.Textbox(
                label="Prompt",
                lines=5,
                placeholder=f"For example: {EXAMPLE}",
                elem_id="posi_prompt",
            )
            with gr.Row():
                policy = strictness(rules, "posi_policy")
                syntax = syntax_menu(rules, "posi_syntax")
            with gr.Row():
                check_button = gr.Button("Check only", elem_id="posi_check")
                rewrite_button = gr.Button("Rewrite", variant="primary", elem_id="posi_rewrite")
            gr.HTML('<p class="posi-sub">Ctrl+Enter rewrites. Nothing leaves this computer.</p>')
        with gr.Column(scale=1, min_width=280):
            result = gr.HTML(render.notice("The verdict appears here."), elem_id="posi_result")
    inputs = [text, policy, syntax]
    rewrite_button.click(rewrite, inputs, [result])
    text.submit(rewrite, inputs, [result])
    check_button.click(check, inputs, [result])
    return policy


def strictness(rules: Rules, elem_id: str) -> Any:
    """The menu of policies."""
    return gr.Dropdown(label="Strictness", choices=policies.names(), value=rules.policy(), elem_id=elem_id)


def syntax_menu(rules: Rules, elem_id: str) -> Any:
    """The menu of prompt syntaxes, by names that mean something to people."""
    return gr.Dropdown(label="Prompt syntax", choices=SYNTAXES, value=rules.syntax, elem_id=elem_id)


def guarded(work: Any) -> str:
    """The HTML that `work` returns, or the error as a notice."""
    try:
        return str(work())
    except PosiError as error:
        return render.notice(str(error), kind="error")
    except Exception as error:
        return render.notice(f"Internal error: {type(error).__name__}: {error}", kind="error")


def _rewrite(rules: Rules, text: str, policy: str, syntax: SyntaxName) -> str:
    problem = _unusable(text)
    if problem:
        return problem
    prompter = service().prompter(policies.load(policy), rules.model_path())
    verdict = prompter.rewrite(text, syntax=syntax, deadline=rules.seconds())
    service().record(verdict, source="page")
    data = verdict.to_dict()
    if verdict.risk_before is not None and verdict.action != "pass":
        _, risk = prompter.explain(text, syntax=syntax)
        data["risk_before"]["words"] = [vars(word) for word in risk.words]
    return render.verdict_card(data, thresholds=prompter.policy.thresholds, copy=True)


def _check(rules: Rules, text: str, policy: str, syntax: SyntaxName) -> str:
    problem = _unusable(text)
    if problem:
        return problem
    prompter = service().prompter(policies.load(policy), rules.model_path())
    judgement, risk = prompter.explain(text, syntax=syntax)
    data = {
        "overall": risk.overall,
        "categories": risk.categories,
        "words": [vars(word) for word in risk.words],
    }
    action = "block" if judgement.forbidden else "rewrite" if judgement.flagged else "pass"
    return render.check_card(text, data, action, judgement.why(), thresholds=prompter.policy.thresholds)


def _unusable(text: str) -> str:
    if not text or not text.strip():
        return render.notice("Type a prompt first.")
    if len(text) > MAX_CHARACTERS:
        return render.notice(f"A prompt has at most {MAX_CHARACTERS:,} characters.", kind="error")
    return ""
