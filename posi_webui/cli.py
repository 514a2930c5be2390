"""`posi ui`: the page as a local web app, for people without ComfyUI or A1111/Forge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def ui(
    port: Annotated[
        int | None,
        typer.Option(help="Port to listen on. [default: the first free one from 7860]", min=1, max=65535),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    model: Annotated[
        Path | None, typer.Option(help="A rewriter of your own, a GGUF file. [default: the shipped one]")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Time allowed for one prompt.", min=1, max=600)] = 60.0,
) -> None:
    """Open the page in a browser: try prompts, run a batch, edit policies. It listens on this computer only."""
    from . import page
    from .standalone import serve

    own: Path | None = None
    if model is not None:
        from ..posi_core.models import find

        own = find("rewriter", model)
    rules = page.Rules(syntax="plain", model_path=lambda: own, seconds=lambda: seconds)
    _, url = serve(rules, port=port, browser=browser)
    typer.echo(f"POSI is open at {url} (Ctrl+C ends it).")
    wait()


def wait() -> None:
    """Until Ctrl+C; the models are closed after it."""
    import threading

    from ..posi_core.service import service

    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        service().close()
