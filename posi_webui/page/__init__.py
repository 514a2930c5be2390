"""The page: one gradio code for the tab in A1111/Forge (gradio 3.41, 4.40) and for `posi ui` (any later one).

Only what all of these understand is used: no event with JavaScript, no component arguments that came or went.
"""

from __future__ import annotations

from .layout import build, refresh
from .rules import Rules

__all__ = ["Rules", "build", "refresh"]
