"""One question to an OpenAI-compatible chat endpoint, asked again when the failure may pass."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any

from ...posi_core.errors import PosiError, UsageError

_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})

INSTRUCTION = (
    "You edit prompts for text-to-image models. Rewrite the prompt so that no image drawn from it can be sexual, "
    "violent, hateful, harassing, shocking, or about self-harm or crime. Keep the subject, the names, the style words "
    "and the wording wherever they are harmless; change as few words as you can; add no praise and no explanation. "
    "Answer with the rewritten prompt alone."
)


@dataclass(frozen=True)
class Usage:
    """Tokens that the endpoint reported for an answer; 0 where it reports none."""

    prompt: int
    completion: int


class RateLimit:
    """At most `per_minute` requests a minute, spaced evenly; 0 means no limit."""

    def __init__(self, per_minute: float) -> None:
        self._gap = 60.0 / per_minute if per_minute > 0 else 0.0
        self._next = 0.0
        self._lock = asyncio.Lock()

    async def wait(self) -> None:
        async with self._lock:
            now = asyncio.get_running_loop().time()
            at = max(self._next, now)
            self._next = at + self._gap
        await asyncio.sleep(at - now)


class Teacher:
    """Asks `model` at `base_url` (ending in /v1) for clean twins.

    `client` is an httpx.AsyncClient that carries the key. `attempts` counts all tries; between them it waits
    `backoff` * 2^n seconds, with jitter, or as long as a Retry-After header says.
    """

    def __init__(
        self,
        client: Any,
        base_url: str,
        model: str,
        *,
        limit: RateLimit,
        attempts: int = 5,
        backoff: float = 1.0,
    ) -> None:
        self.client = client
        self.url = base_url.rstrip("/") + "/chat/completions"
        self.model = model
        self.limit = limit
        self.attempts = attempts
        self.backoff = backoff

    async def ask(self, prompt: str) -> tuple[str, Usage]:
        """The answer's text and its tokens. Raises UsageError for a refused key or model, PosiError after the tries."""
        import httpx

        body = {
            "model": self.model,
            "temperature": 0.0,
            "max_tokens": 400,
            "messages": [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": prompt}],
        }
        why = ""
        for attempt in range(self.attempts):
            await self.limit.wait()
            pause = self.backoff * 2**attempt * (0.5 + random.random())
            try:
                reply = await self.client.post(self.url, json=body)
            except httpx.TransportError as error:
                why = f"{type(error).__name__}: {error}"
            else:
                if reply.status_code == 200:
                    return _answer(reply)
                why = f"HTTP {reply.status_code}: {reply.text[:200]}"
                if reply.status_code not in _PASSING:
                    raise UsageError(
                        f"{self.url} refused the request ({why}); check key, model name and address"
                    )
                pause = _retry_after(reply.headers.get("retry-after"), pause)
            if attempt + 1 < self.attempts:
                await asyncio.sleep(pause)
        raise PosiError(
            f"{self.url} gave no answer in {self.attempts} tries ({why}); run the command again to go on"
        )


def _answer(reply: Any) -> tuple[str, Usage]:
    try:
        data = reply.json()
        text = data["choices"][0]["message"]["content"] or ""
    except (ValueError, LookupError, TypeError) as error:
        raise PosiError(f"the endpoint's answer is not a chat completion ({error!r})") from None
    usage = data.get("usage") or {}
    return str(text), Usage(int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))


def _retry_after(header: str | None, otherwise: float) -> float:
    try:
        return min(max(float(header or ""), 0.0), 120.0)
    except ValueError:
        return otherwise
