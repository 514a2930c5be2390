"""Hangs the review onto ComfyUI's server.

Two hooks share the work. The middleware judges off the event loop and turns a refusal into an answer that the
front end shows. The on-prompt handler is the gate proper: it also sees prompts that other packs queue by their
own routes, and what it cannot clear loses its graph, which ComfyUI answers with 400.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from .. import redaction
from .review import Review, refusal, review, with_posi_nodes

PATHS = ("/prompt", "/api/prompt")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class _Outcome:
    """What the two hooks tell each other about the request in hand."""

    review: Review | None = None
    refused: Review | None = None


_outcome: ContextVar[_Outcome | None] = ContextVar("posi_outcome", default=None)


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Judges POST /prompt in a thread before ComfyUI takes it up; every other request goes straight on."""
    if request.method != "POST" or request.path not in PATHS:
        return await handler(request)
    outcome = _Outcome()
    token = _outcome.set(outcome)
    try:
        data = await request.json()
        if isinstance(data, dict) and "prompt" in data:
            outcome.review = await asyncio.to_thread(review, data["prompt"])
        response = await handler(request)
    finally:
        _outcome.reset(token)
    if outcome.refused is not None:
        return web.json_response(refusal(outcome.refused), status=400)
    return response


def on_prompt(data: dict[str, Any]) -> dict[str, Any]:
    """ComfyUI's on-prompt handler: the graph that may run, or none. Never raises."""
    if not isinstance(data, dict) or "prompt" not in data:
        return data
    outcome = _outcome.get() or _Outcome()
    found = outcome.review or review(data["prompt"])
    try:
        if not found.refused and found.findings:
            data = {**data, "prompt": with_posi_nodes(data["prompt"], found)}
        data = redaction.prepare(data)
    except Exception as error:
        logging.exception("POSI: a queued prompt could not be prepared.")
        found = Review(error=f"The prompt could not be prepared, so it does not run: {type(error).__name__}.")
    if found.refused:
        outcome.refused = found
        logging.warning("POSI: a queued prompt was refused.")
        return {key: value for key, value in data.items() if key != "prompt"}
    return data


def install(server: Any) -> None:
    """Registers both hooks; called once while ComfyUI loads its nodes, before its server starts."""
    server.app.middlewares.append(middleware)
    server.add_on_prompt_handler(on_prompt)
