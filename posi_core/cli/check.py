"""`posi check`: the risk of a prompt, by category and by word."""

from __future__ import annotations

import dataclasses

from . import options
from .inputs import read_prompts


def check(
    texts: options.Texts = None,
    file: options.File = None,
    syntax: options.SyntaxOption = options.Syntax.plain,
    strictness: options.StrictnessOption = None,
    policy: options.PolicyOption = None,
    as_json: options.Json = False,
) -> None:
    """Score prompts without changing them.

    Shows what the policy would do, each word shaded by its part of the risk, and a bar per category with its
    limit. The exit code is 0 whatever the risk is.
    """
    from ..safe_prompt import SafePrompter

    rules = options.chosen_policy(strictness, policy)
    prompts = read_prompts(texts, file)
    with SafePrompter(rules) as prompter:
        for text in prompts.texts:
            judgement, risk = prompter.explain(text, syntax=syntax.value)
            if as_json:
                from .rewrite import print_json

                found = {"flagged": judgement.flagged, "reason": judgement.why(), "policy": rules.identity}
                print_json({"text": text, **dataclasses.asdict(risk), **found})
                continue
            from .render import console, risk_view

            screen = console()
            coloured = screen.color_system is not None and not screen.no_color
            screen.print(risk_view(text, risk, judgement, colour=coloured))
