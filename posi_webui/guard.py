"""The prompts of one generation and what became of them. Knows no host."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..posi_core.errors import BlockedError
from ..posi_core.policy import Policy
from ..posi_core.verdict import Verdict

# The same expression as the host's extra_networks.re_extra_net: what it cuts out before encoding.
_NETWORK = re.compile(r"<(\w+):([^>]+)>")


Rewrite = Callable[[str], Verdict]
"""Judges and rewrites one text: `SafePrompter.rewrite` with everything but the text filled in."""


class Guard:
    """Gives the safe text for each prompt text, each judged once. Raises BlockedError where nothing may be generated.

    Texts that it gave out itself come back unchanged, also without their `<lora:...>` tags.
    """

    def __init__(
        self,
        rewrite: Rewrite,
        policy: Policy,
        policy_name: str,
        *,
        stop_on_block: bool = True,
        store_original: bool = False,
    ) -> None:
        self._rewrite = rewrite
        self._policy = policy
        self.policy_name = policy_name
        self.store_original = store_original
        self._stop = stop_on_block or policy.on_block == "raise"
        self._verdicts: dict[str, Verdict] = {}
        self._given: dict[str, Verdict] = {}

    @property
    def verdicts(self) -> list[Verdict]:
        """One verdict for each different text, in the order they were asked for."""
        return list(self._verdicts.values())

    def safe(self, text: str) -> str:
        """The text that may be encoded in place of `text`."""
        if text in self._given:
            return text
        if text not in self._verdicts:
            verdict = self._rewrite(text)
            # A failure generates nothing, whatever the policy says of blocks.
            if verdict.blocked and (self._stop or verdict.failed):
                raise BlockedError(verdict.reason or "The prompt was blocked.")
            self._verdicts[text] = verdict
            for form in (verdict.text, without_networks(verdict.text)):
                self._given.setdefault(form, verdict)
        return self._verdicts[text].text

    def negative(self, text: str) -> str:
        """A negative prompt with the policy's additions; twice is the same as once."""
        additions = self._policy.negative_additions
        if not additions or additions in text:
            return text
        return f"{text.rstrip().rstrip(',')}, {additions}" if text.strip() else additions

    def origin(self, text: str) -> Verdict | None:
        """The verdict that gave out `text`, if one did."""
        return self._given.get(text)

    def safe_or(self, text: str, other: str) -> str:
        """The safe text for a text that is only shown (a template, say), or `other` where it is blocked."""
        try:
            return self.safe(text)
        except BlockedError:
            return other


def without_networks(text: str) -> str:
    """The text as the host encodes it, `<lora:...>` and the like cut out."""
    return _NETWORK.sub("", text)


def each(values: Any, change: Callable[[str], str]) -> Any:
    """`change` applied to a prompt or to every prompt of a list; anything else comes back as it is."""
    if isinstance(values, str):
        return change(values)
    if isinstance(values, (list, tuple)):
        return [change(value) if isinstance(value, str) else value for value in values]
    return values
