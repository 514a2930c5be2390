"""HTTP routes under /posi/v1/ on ComfyUI's own server: thin over the service that all hosts share."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from ..posi_core.errors import PosiError
from ..posi_core.policy import PRESETS
from ..posi_core.service import service
from . import missing, settings

PREFIX = "/posi/v1"
MAX_BODY = 2_000_000
"""Bytes of a request: 64 prompts of 20,000 characters in any script would be more than a page ever sends."""


def install(server: Any) -> None:
    """Adds the routes to ComfyUI's table; called once while it loads its nodes.

    POST rewrite, check, load, unload, history (to clear it); GET status, history, enforcement. Nothing here
    takes a path, and a body must be declared as JSON, so that a foreign page cannot send one unasked.
    """
    for route in ("rewrite", "check", "load", "unload", "history"):
        server.routes.post(f"{PREFIX}/{route}")(_poster(route))
    for route in ("status", "history"):
        server.routes.get(f"{PREFIX}/{route}")(_getter(route))
    server.routes.get(f"{PREFIX}/enforcement")(enforcement)


def _poster(route: str) -> Any:
    async def post(request: web.Request) -> web.Response:
        payload, fault = await _payload(request)
        return fault if fault is not None else await _answer(route, payload)

    return post


def _getter(route: str) -> Any:
    async def get(_request: web.Request) -> web.Response:
        return await _answer(route, {})

    return get


async def enforcement(_request: web.Request) -> web.Response:
    """What the server enforces, and which settings its environment has taken out of the page's hands."""
    try:
        current = settings.current()
    except PosiError as error:
        return web.json_response({"error": str(error)}, status=503)
    return web.json_response(
        {
            "mode": current.mode,
            "strictness": current.policy if current.policy in PRESETS else "custom",
            "redact": current.redact,
            "locked": list(current.locked),
        }
    )


async def _answer(route: str, payload: Any) -> web.Response:
    status, body = await asyncio.to_thread(service().handle, route, payload)
    if route in ("status", "load", "unload") and status == 200:
        body = {**body, "install": missing.command()}
    if status >= 500 and (line := missing.command()) is not None:
        body = {**body, "error": f"{body['error']} A package is missing: stop ComfyUI and run {line}"}
    return web.json_response(body, status=status)


async def _payload(request: web.Request) -> tuple[Any, web.Response | None]:
    if request.content_type != "application/json":
        return None, _fault(415, "Send the request as application/json.")
    if (request.content_length or 0) > MAX_BODY:
        return None, _fault(413, f"The request is longer than {MAX_BODY:,} bytes.")
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            return None, _fault(413, f"The request is longer than {MAX_BODY:,} bytes.")
    try:
        return json.loads(body or b"{}"), None
    except (ValueError, RecursionError):
        return None, _fault(400, "The request is not valid JSON.")


def _fault(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)
