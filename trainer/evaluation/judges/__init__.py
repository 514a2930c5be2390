"""The second judge: another kind of model, trained on another fold, for reports only.

Nothing that gates, verifies, rewards or picks a model may ask it; what is optimised against a judge can no longer
be measured by it.
"""

from __future__ import annotations

from .linear import LinearJudge, load_judge

__all__ = ["LinearJudge", "load_judge"]
