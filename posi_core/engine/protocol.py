"""What every engine takes and gives: requests, completions, the prompt template, the engine's state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

PREFIX_KEY, SUFFIX_KEY, STOP_KEY = "posi.template.prefix", "posi.template.suffix", "posi.template.stop"
COMMIT_KEY = "posi.training_commit"


@dataclass(frozen=True)
class PromptTemplate:
    """What stands around a prompt: `prefix` + prompt + `suffix`, then the answer, ended by one of `stop`.

    The engine tokenises the three parts apart; special tokens are recognised in `prefix`, `suffix` and `stop`
    alone, never in the prompt. A GGUF file of ours carries the template under the `posi.template.*` keys.
    """

    prefix: str
    suffix: str
    stop: tuple[str, ...]
    training_commit: str = ""


@dataclass(frozen=True)
class GenerateRequest:
    """One prompt and how to decode it.

    `n` candidates are decoded side by side. `temperature` 0 is greedy (all candidates are then the same);
    above 0, `top_k` (0: off) and `top_p` narrow the choice and `seed` makes it repeatable. `max_tokens` limits
    each candidate; None allows half as many again as the prompt has, and 32. `draft` copies drafts from `user`
    and verifies them in one batch: faster, same text.

    `avoid` has the words that each candidate must not write, in lower case; candidates then differ even when
    greedy, and there must be `n` entries. Engines whose `can_avoid` is False refuse it.
    """

    prefix: str
    user: str
    suffix: str
    stop: tuple[str, ...] = ()
    n: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    max_tokens: int | None = None
    draft: bool = True
    avoid: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Completion:
    """One candidate. `finished`: it ended by itself (stop or end-of-text token) rather than at the limit.

    `tokens` counts what was generated, the stop token included; `ids` are those tokens without it. Of the `drafted`
    tokens `accepted` were right; `rounds` is the number of batches decoded. `prompt_tokens` were read, and
    `cached_tokens` more were kept from the last request.
    """

    text: str
    tokens: int
    finished: bool
    prompt_tokens: int = 0
    cached_tokens: int = 0
    rounds: int = 0
    drafted: int = 0
    accepted: int = 0
    seconds: float = 0.0
    ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class EngineStatus:
    """State of an engine. `loaded`: a model is in memory. `memory` and `peak_memory` are bytes of the worker."""

    kind: Literal["llama.cpp", "openai"]
    identity: str
    loaded: bool
    busy: bool = False
    pid: int | None = None
    threads: int | None = None
    gpu_layers: int | None = None
    safe_setting: bool = False
    memory: int | None = None
    peak_memory: int | None = None
    starts: int = 0
    last_error: str = ""


class Engine(Protocol):
    """Generates text. Thread-safe; nothing is loaded before it is needed."""

    @property
    def identity(self) -> str:
        """Name and hash or address of what answers: part of every cache key."""

    @property
    def template(self) -> PromptTemplate:
        """The template the model was trained with. Raises EngineError or ModelFileError if it cannot be read."""

    @property
    def can_avoid(self) -> bool:
        """Whether requests may name words to avoid."""

    def generate(
        self,
        request: GenerateRequest,
        *,
        deadline: float | None = None,
        cancelled: Callable[[], bool] | None = None,
        on_token: Callable[[int], None] | None = None,
    ) -> list[Completion]:
        """`request.n` candidates. `deadline` is an instant of `time.monotonic()`.

        `cancelled` is asked between tokens; `on_token` is told how many tokens there are so far, in all.
        Raises DeadlineError, CancelledError, ModelFileError, EngineError.
        """

    def unload(self) -> None:
        """Free the model's memory; the next request loads it again."""

    def close(self) -> None:
        """Stop for good; later requests raise EngineError."""

    def health(self) -> EngineStatus: ...
