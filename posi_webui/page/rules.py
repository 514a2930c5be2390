"""What the place that shows the page lays down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Rules:
    """What the place that shows the page lays down, asked anew at each event.

    `syntax`: the prompt syntax the page starts with. `policy`: the strictness it starts with. `may_edit`: policies
    may be saved and deleted. `may_see_history`: recent prompts are shown. `model_path`: the chosen rewriter, None
    for the shipped one. `seconds`: time allowed for one prompt.
    """

    syntax: str = "a1111"
    policy: Callable[[], str] = lambda: "standard"
    may_edit: Callable[[], bool] = lambda: True
    may_see_history: Callable[[], bool] = lambda: True
    model_path: Callable[[], Path | None] = lambda: None
    seconds: Callable[[], float] = lambda: 60.0
