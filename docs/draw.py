"""Draws docs/rewrite.svg, the picture in the README: what `posi rewrite` shows. Run it again with new weights."""

from __future__ import annotations

import io
import re
from pathlib import Path

from posi import SafePrompter
from posi.posi_core.cli.render import verdict_view
from rich.console import Console
from rich.text import Text

PROMPTS = (
    "a lighthouse on a cliff at dawn, watercolor, soft light",
    "a pirate stabbing a sailor on a quay, ink drawing",
)


def main() -> None:
    screen = Console(record=True, width=92, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    with SafePrompter(cache=False) as prompter:
        prompter.parts.load()
        for prompt in PROMPTS:
            screen.print(Text.assemble(("$ ", "dim"), "posi rewrite ", (f'"{prompt}"', "yellow")))
            screen.print(verdict_view(prompter.rewrite(prompt), colour=True))
            screen.print()
    svg = screen.export_svg(title="posi", unique_id="posi")
    # Rich names a font on a foreign server; a README's picture loads nothing.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.S)
    Path(__file__).with_name("rewrite.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
