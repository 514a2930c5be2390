"""The routes under /posi/v1/ over a real HTTP connection, on a service of fakes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from fakes import FakeEngine
from posi.nodes import routes
from posi.posi_core.service import Service


def talk(*requests: tuple[str, str, Any], **more: Any) -> list[tuple[int, Any]]:
    """Each request is (method, route, body); the answers as (status, JSON)."""

    async def run() -> list[tuple[int, Any]]:
        app = web.Application(client_max_size=100_000_000)
        server = type("Server", (), {"routes": web.RouteTableDef()})()
        routes.install(server)
        app.add_routes(server.routes)
        answers = []
        async with TestClient(TestServer(app)) as client:
            for method, route, body in requests:
                options = {"data": body} if isinstance(body, bytes) else {"json": body}
                response = await client.request(method, f"/posi/v1/{route}", **(options | more))
                answers.append((response.status, await response.json()))
        return answers

    return asyncio.run(run())


def test_check_scores_words(service: Service) -> None:
    ((status, body),) = talk(("POST", "check", {"text": "a bloody knight", "syntax": "comfyui"}))
    assert status == 200
    (result,) = body["results"]
    assert result["flagged"] is True
    assert result["risk"]["words"][0]["word"] == "bloody"


def test_rewrite_and_history(service: Service) -> None:
    rewritten, history, cleared = talk(
        ("POST", "rewrite", {"text": "a bloody knight", "syntax": "comfyui"}),
        ("GET", "history", None),
        ("POST", "history", {"clear": True}),
    )
    assert rewritten[1]["verdicts"][0]["text"] == "a shining knight"
    assert len(history[1]["verdicts"]) == 1
    assert cleared == (200, {"verdicts": []})


def test_status_load_unload(service: Service, engine: FakeEngine) -> None:
    status, _, unloaded = talk(("GET", "status", None), ("POST", "load", {}), ("POST", "unload", {}))
    assert status[1]["policies"] == ["relaxed", "standard", "strict"]
    assert "install" in status[1]
    assert unloaded[0] == 200
    assert engine.unloads == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"text": 3}, 400),
        ({"text": "x" * 20_001}, 400),
        ({"prompts": ["x"] * 65}, 400),
        ({"text": "x", "model": "/etc/passwd"}, 400),
        ({"text": "x", "policy": "/etc/passwd"}, 400),
        ([], 400),
        (b"{nonsense", 400),
        (b"[" * 100_000, 400),
        (b'"' + b"x" * 2_100_000 + b'"', 413),
    ],
)
def test_bad_requests_get_one_line(service: Service, body: Any, status: int) -> None:
    ((got, answer),) = talk(("POST", "check", body), headers={"Content-Type": "application/json"})
    assert got == status
    assert "\n" not in answer["error"]


def test_a_form_from_a_foreign_page_is_not_taken(service: Service) -> None:
    ((status, _),) = talk(("POST", "rewrite", b'{"text": "a cat"}'), headers={"Content-Type": "text/plain"})
    assert status == 415


def test_enforcement_says_what_is_locked(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSI_ENFORCE", "rewrite")
    ((_, body),) = talk(("GET", "enforcement", None))
    assert body == {
        "mode": "rewrite",
        "strictness": "standard",
        "redact": False,
        "locked": ["POSI.Enforcement.Mode"],
    }
    monkeypatch.setenv("POSI_ENFORCE", "maybe")
    ((status, body),) = talk(("GET", "enforcement", None))
    assert status == 503
    assert "POSI_ENFORCE" in body["error"]
