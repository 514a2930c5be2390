"""Options that several commands share, and the SafePrompter that they describe."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError

if TYPE_CHECKING:
    from ..policy import Policy
    from ..safe_prompt import ModelChoice


class Syntax(str, enum.Enum):
    """Whose prompt syntax the text is in."""

    plain = "plain"
    a1111 = "a1111"
    comfyui = "comfyui"


class Strictness(str, enum.Enum):
    """The policy presets."""

    relaxed = "relaxed"
    standard = "standard"
    strict = "strict"


Texts = Annotated[
    list[str] | None, typer.Argument(metavar="TEXT...", help="Prompts, each in quotes.", show_default=False)
]
File = Annotated[
    str | None,
    typer.Option("--file", "-f", help="Read prompts from a file, one a line; - is standard input."),
]
SyntaxOption = Annotated[Syntax, typer.Option("--syntax", help="Whose prompt syntax the text is in.")]
StrictnessOption = Annotated[
    Strictness | None, typer.Option("--strictness", help="Policy preset. [default: standard]")
]
PolicyOption = Annotated[str | None, typer.Option("--policy", help="Your own policy, a TOML file.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line instead of text.")]


def chosen_policy(strictness: Strictness | None, policy: str | None) -> Policy:
    """The policy that the two options name. Raises UsageError if both do, PolicyError on a bad file."""
    from ..policy import load_policy

    if strictness is not None and policy is not None:
        raise UsageError("Give either --strictness or --policy, not both")
    return load_policy(policy if policy is not None else (strictness or Strictness.standard).value)


def chosen_model(
    path: str | None, server: str | None, server_model: str, threads: int | None, gpu_layers: int | None
) -> ModelChoice | None:
    """The rewriter that the options name; None is the shipped one. Raises ModelFileError, UsageError."""
    from ..safe_prompt import ModelChoice

    if server is not None:
        if path is not None or threads is not None or gpu_layers is not None:
            raise UsageError("--server does the computing: leave out --model, --threads and --gpu-layers")
        if not server_model:
            raise UsageError("--server needs --server-model, the model's name on that server")
        return ModelChoice(base_url=server, remote_model=server_model)
    if path is None and threads is None and gpu_layers is None:
        return None
    from ..models import find

    own = find("rewriter", path) if path is not None else None
    return ModelChoice(path=own, threads=threads, gpu_layers=gpu_layers)
