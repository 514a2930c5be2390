"""What the hosts and the page share: one service per process, with its loaded models and its history.

`handle` answers the routes under /posi/v1/ for every host: plain data in, (HTTP status, plain data) out. It may
run in any thread, touches no file named by a client, and never raises.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from .errors import PosiError, UsageError
from .policy import PRESETS, Policy, load_policy, policy_from_mapping
from .safe_prompt import ModelChoice, Parts, SafePrompter
from .verdict import CATEGORIES, Verdict

if TYPE_CHECKING:
    from .cache import Cache

MAX_CHARACTERS = 20_000
MAX_PROMPTS = 64
MAX_SECONDS = 600.0
HISTORY = 200
KEPT_PROMPTERS = 16
ROUTES = ("rewrite", "check", "status", "load", "unload", "history")


class Service:
    """Prompters by policy over models by choice: one scorer and encoder for all, one engine a model choice."""

    def __init__(self, parts: Parts | None = None, *, cache: bool | Path | Cache = True) -> None:
        self._default = parts or Parts()
        self._parts: dict[ModelChoice, Parts] = {self._default.model: self._default}
        self._prompters: dict[tuple[str, ModelChoice], SafePrompter] = {}
        self._cache_setting = cache
        self._cache: Cache | None = None
        self._history: deque[dict[str, Any]] = deque(maxlen=HISTORY)
        self._lock = threading.RLock()

    def prompter(
        self, policy: Policy | Path | str = "standard", model: ModelChoice | Path | str | None = None
    ) -> SafePrompter:
        """The prompter for a policy and a model, kept for the next call. PolicyError for a bad policy."""
        rules = load_policy(policy)
        choice = model if isinstance(model, ModelChoice) else self._choice(model)
        with self._lock:
            key = (rules.identity, choice)
            found = self._prompters.pop(key, None)
            if found is None:
                found = SafePrompter(rules, parts=self._parts_for(choice), cache=self._shared_cache())
            self._prompters[key] = found  # the newest stands last
            while len(self._prompters) > KEPT_PROMPTERS:
                self._prompters.pop(next(iter(self._prompters)))
            return found

    def record(self, verdict: Verdict, *, source: str = "") -> None:
        """Add a verdict to the history of this process (memory only, the newest 200)."""
        entry = {**verdict.to_dict(), "source": source, "time": time.time()}
        with self._lock:
            self._history.append(entry)

    @property
    def history(self) -> list[dict[str, Any]]:
        """Verdicts of this process as plain data, newest first."""
        with self._lock:
            return list(reversed(self._history))

    def clear_history(self) -> None:
        with self._lock:
            self._history.clear()

    def status(self) -> dict[str, Any]:
        """Plain data about the models and what is loaded; loads nothing and starts nothing."""
        with self._lock:
            engines = [(choice, parts.started()) for choice, parts in self._parts.items()]
            entries = len(self._history)
        return {
            "engines": [
                {"model": str(choice.path or choice.base_url or "shipped"), **_health(engine)}
                for choice, engine in engines
            ],
            "policies": list(PRESETS),
            "categories": list(CATEGORIES),
            "history": entries,
            "limits": {"characters": MAX_CHARACTERS, "prompts": MAX_PROMPTS},
        }

    def load(self, model: ModelChoice | Path | str | None = None) -> None:
        """Load a model now rather than at the first risky prompt. Raises what loading raises."""
        choice = model if isinstance(model, ModelChoice) else self._choice(model)
        with self._lock:
            parts = self._parts_for(choice)
        parts.load()

    def unload(self) -> None:
        """Free the memory of every engine; the next risky prompt loads what it needs."""
        with self._lock:
            every = list(self._parts.values())
        for parts in every:
            parts.unload()

    def close(self) -> None:
        """Stop every engine and forget everything."""
        with self._lock:
            prompters, self._prompters = list(self._prompters.values()), {}
            every, self._history = list(self._parts.values()), deque(maxlen=HISTORY)
        for prompter in prompters:
            prompter.close()
        for parts in every:
            parts.close()

    def handle(self, route: str, payload: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer one request: (HTTP status, JSON object). A fault is {"error": one line}.

        "rewrite": `text` or `prompts` (a list), optional `syntax`, `policy` (a preset's name or a policy as a
        table), `negative`, `seconds` -> {"verdicts": [...]}. "check": the same without `negative` and
        `seconds` -> {"results": [{"risk", "flagged", "reason"}]}. "status", "load", "unload", "history" take
        an empty object; "history" with {"clear": true} empties it.
        """
        try:
            if route not in ROUTES:
                return 404, {"error": f"There is no route {route[:40]!r}: use {', '.join(ROUTES)}."}
            if not isinstance(payload, Mapping):
                raise UsageError("The request is not a JSON object.")
            return 200, getattr(self, f"_handle_{route}")(payload)
        except UsageError as error:
            return 400, {"error": str(error)}
        except PosiError as error:
            return 503, {"error": str(error)}
        except Exception as error:  # a host must get an answer, not a traceback with a prompt in it
            return 500, {"error": f"Internal error: {type(error).__name__}."}

    def _handle_rewrite(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        _known(payload, "text", "prompts", "syntax", "policy", "negative", "seconds")
        prompts, syntax, prompter = _prompts(payload), _syntax(payload), self._prompter_for(payload)
        negative = _text(payload, "negative")
        seconds = payload.get("seconds")
        if seconds is not None and (
            isinstance(seconds, bool)
            or not isinstance(seconds, (int, float))
            or not 0 < seconds <= MAX_SECONDS
        ):
            raise UsageError(f"seconds: a number above 0, at most {MAX_SECONDS:g}.")
        end = None if seconds is None else time.monotonic() + seconds
        verdicts = []
        for prompt in prompts:
            left = None if end is None else max(end - time.monotonic(), 0.001)
            verdict = prompter.rewrite(prompt, syntax=syntax, negative=negative, deadline=left)
            self.record(verdict, source="api")
            verdicts.append(verdict.to_dict())
        return {"verdicts": verdicts}

    def _handle_check(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        _known(payload, "text", "prompts", "syntax", "policy")
        prompts, syntax, prompter = _prompts(payload), _syntax(payload), self._prompter_for(payload)
        results = []
        for prompt in prompts:
            judgement, risk = prompter.explain(prompt, syntax=syntax)
            data = {
                "overall": risk.overall,
                "categories": dict(risk.categories),
                "words": [vars(word) for word in risk.words],
            }
            results.append({"risk": data, "flagged": judgement.flagged, "reason": judgement.why()})
        return {"results": results}

    def _handle_status(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        _known(payload)
        return self.status()

    def _handle_load(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        _known(payload)
        self.load()
        return self.status()

    def _handle_unload(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        _known(payload)
        self.unload()
        return self.status()

    def _handle_history(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        _known(payload, "clear")
        if payload.get("clear") is True:
            self.clear_history()
        return {"verdicts": self.history}

    def _prompter_for(self, payload: Mapping[str, Any]) -> SafePrompter:
        policy = payload.get("policy", "standard")
        if isinstance(policy, Mapping):
            return self.prompter(policy_from_mapping(policy))
        if policy not in PRESETS:
            raise UsageError(f"policy: one of {', '.join(PRESETS)}, or a policy as a table.")
        return self.prompter(policy)

    def _choice(self, model: Path | str | None) -> ModelChoice:
        return ModelChoice(path=Path(model)) if model else self._default.model

    def _parts_for(self, choice: ModelChoice) -> Parts:
        if choice not in self._parts:
            self._parts[choice] = self._default.sharing_judges(choice)
        return self._parts[choice]

    def _shared_cache(self) -> bool | Cache:
        if self._cache_setting is False:
            return False
        if self._cache is None:
            from .cache import open_cache

            self._cache = open_cache(self._cache_setting)
        return self._cache


_service: Service | None = None
_service_lock = threading.Lock()


def service() -> Service:
    """The process-wide service; made on the first call, with nothing loaded."""
    global _service
    with _service_lock:
        if _service is None:
            _service = Service()
        return _service


def _known(payload: Mapping[str, Any], *keys: str) -> None:
    for key in payload:
        if key not in keys:
            allowed = f"use {', '.join(keys)}" if keys else "this route takes none"
            raise UsageError(f"{str(key)[:40]} is not a field of this request: {allowed}.")


def _prompts(payload: Mapping[str, Any]) -> list[str]:
    if ("text" in payload) == ("prompts" in payload):
        raise UsageError("Give either text (one prompt) or prompts (a list of prompts).")
    prompts = [payload["text"]] if "text" in payload else payload["prompts"]
    if not isinstance(prompts, list) or not 1 <= len(prompts) <= MAX_PROMPTS:
        raise UsageError(f"prompts: a list of 1 to {MAX_PROMPTS} texts.")
    for prompt in prompts:
        if not isinstance(prompt, str) or len(prompt) > MAX_CHARACTERS:
            raise UsageError(f"A prompt is a text of at most {MAX_CHARACTERS:,} characters.")
    return prompts


def _text(payload: Mapping[str, Any], key: str) -> str:
    value = payload.get(key, "")
    if not isinstance(value, str) or len(value) > MAX_CHARACTERS:
        raise UsageError(f"{key}: a text of at most {MAX_CHARACTERS:,} characters.")
    return value


def _syntax(payload: Mapping[str, Any]) -> Any:
    from .syntax import SyntaxName

    value = payload.get("syntax", "plain")
    if value not in get_args(SyntaxName):
        raise UsageError(f"syntax: one of {', '.join(get_args(SyntaxName))}.")
    return value


def _health(engine: Any) -> dict[str, Any]:
    if engine is None:
        return {"loaded": False}
    health = engine.health()
    return dict(health) if isinstance(health, Mapping) else dataclasses.asdict(health)
