"""`/posi/v1/` on the host's own app, also under `--nowebui`, described in its OpenAPI."""

from typing import Any, Dict, List, Optional, Union  # noqa: UP035

# No `from __future__ import annotations` and the older spellings: pydantic 1 of older hosts reads the annotations
# of these models at run time, on Python 3.10.
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from pydantic import BaseModel, Field

from ..posi_core.service import MAX_CHARACTERS, MAX_PROMPTS, service

PREFIX = "/posi/v1"
_LIMITS = f"At most {MAX_CHARACTERS:,} characters a prompt and {MAX_PROMPTS} prompts a request."


class CheckRequest(BaseModel):
    """Prompts to judge."""

    text: Optional[str] = Field(None, description="One prompt. Give either this or `prompts`.")  # noqa: UP045
    prompts: Optional[List[str]] = Field(None, description="Several prompts.")  # noqa: UP006, UP045
    syntax: str = Field("a1111", description="Prompt syntax: `a1111`, `comfyui` or `plain`.")
    policy: Union[str, Dict[str, Any]] = Field(  # noqa: UP006, UP007
        "standard", description="`relaxed`, `standard`, `strict`, or a policy as an object."
    )


class RewriteRequest(CheckRequest):
    """Prompts to rewrite."""

    negative: str = Field("", description="Negative prompt; comes back with the policy's additions.")
    seconds: Optional[float] = Field(None, description="Time allowed for the whole request.")  # noqa: UP045


def mount(_: Any, app: FastAPI) -> None:
    """Adds the routes; the host calls this once its app has started, with no page under `--nowebui`."""
    protected = {"dependencies": [Depends(_auth())], "tags": ["POSI"]} if _auth() else {"tags": ["POSI"]}

    def rewrite(request: RewriteRequest) -> JSONResponse:
        return answer("rewrite", request)

    def check(request: CheckRequest) -> JSONResponse:
        return answer("check", request)

    def status() -> JSONResponse:
        return answer("status", None)

    for path, endpoint, method, summary, description in (
        ("/rewrite", rewrite, "POST", "Rewrite risky prompts", f"One verdict a prompt. {_LIMITS}"),
        ("/check", check, "POST", "Judge prompts", f"Risk by category and by word. {_LIMITS}"),
        ("/status", status, "GET", "State of the models", "Loads nothing."),
    ):
        app.add_api_route(
            PREFIX + path,
            endpoint,
            methods=[method],
            summary=summary,
            description=description,
            name=f"posi_{path[1:]}",
            **protected,
        )
    app.openapi_schema = None  # built anew, should the host have shown it already


def answer(route: str, request: Any) -> JSONResponse:
    """One request through the shared service."""
    payload = (
        {} if request is None else {key: value for key, value in dict(request).items() if value is not None}
    )
    status, body = service().handle(route, payload)
    return JSONResponse(body, status_code=status)


def _auth() -> Any:
    """The host's `--api-auth`, which its own routes check in the same way; None without it."""
    from secrets import compare_digest

    from modules import shared

    accounts = getattr(shared.cmd_opts, "api_auth", None)
    if not accounts:
        return None
    known = dict(account.split(":", 1) for account in accounts.split(","))

    def check(credentials: HTTPBasicCredentials = Depends(HTTPBasic())) -> bool:  # noqa: B008
        password = known.get(credentials.username)
        if password is not None and compare_digest(credentials.password.encode(), password.encode()):
            return True
        raise HTTPException(401, "Incorrect username or password", headers={"WWW-Authenticate": "Basic"})

    return check
