"""Ours against plain: the same prompts, weights and threads, each in its own process, taking turns."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..engine import Completion, EngineStatus, GenerateRequest, LlamaCppEngine, PromptTemplate
from ..engine.settings import default_threads
from ..errors import EngineError

PLAIN_FILE = Path(__file__).with_name("plain.py")
_TURN = 10  # prompts one side answers before the other does: drift of the machine then meets both


@dataclass(frozen=True)
class Setting:
    """What both sides run with."""

    model: Path
    threads: int | None = None
    gpu_layers: int | None = None
    flash_attention: bool = True
    context: int = 2048
    repeats: int = 2


@dataclass
class Answers:
    """One side's results in the order of the prompts. `seconds` is the best of the repeats, for each prompt."""

    seconds: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    ids: list[list[int]] = field(default_factory=list)
    cut: list[bool] = field(default_factory=list)
    tokens: int = 0
    start: float = 0.0
    peak_memory: int | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / sum(self.seconds)


@dataclass(frozen=True)
class Difference:
    """A prompt with two texts. `gap` is the logit of plain's token minus that of ours at the first difference;
    `noise` is how far one batch moves a logit there against single tokens. A near-tie has gap <= 2 * noise."""

    prompt: str
    ours: str
    plain: str
    gap: float
    noise: float

    @property
    def near_tie(self) -> bool:
        return abs(self.gap) <= 2 * self.noise


@dataclass
class Measurement:
    threads: int
    ours: Answers
    plain: Answers
    differences: list[Difference]
    drafted: int
    accepted: int
    rounds: int

    @property
    def speedup(self) -> float:
        return self.plain.median / self.ours.median

    @property
    def identical(self) -> float:
        return 1 - len(self.differences) / len(self.ours.texts)


def measure(prompts: Sequence[str], setting: Setting, progress: Callable[[int], None]) -> Measurement:
    """Answer every prompt on both sides `setting.repeats` times. `progress` gets the number of answers so far."""
    threads = setting.threads or default_threads()
    engine = LlamaCppEngine(
        setting.model,
        threads=threads,
        gpu_layers=setting.gpu_layers,
        context=setting.context,
        idle_unload_seconds=0,
        flash_attention=setting.flash_attention,
    )
    ours, plain = Answers(), Answers()
    try:
        began = time.perf_counter()
        _ask(engine, prompts[0])
        ours.start = time.perf_counter() - began
        began = time.perf_counter()
        other = _PlainProcess(setting, threads, engine.template, engine.health())
        try:
            other.call("complete", prompt=prompts[0])
            plain.start = time.perf_counter() - began
            completions = _both(prompts, setting.repeats, engine, other, ours, plain, progress)
            ours.peak_memory = engine.health().peak_memory
            plain.peak_memory = other.call("memory")["peak_memory"]
            differences = [
                _trace(other, prompt, index, ours, plain)
                for index, prompt in enumerate(prompts)
                if not _same(index, ours, plain)
            ]
        finally:
            other.stop()
    finally:
        engine.close()
    return Measurement(
        threads=threads,
        ours=ours,
        plain=plain,
        differences=differences,
        drafted=sum(completion.drafted for completion in completions),
        accepted=sum(completion.accepted for completion in completions),
        rounds=sum(completion.rounds for completion in completions),
    )


def _both(
    prompts: Sequence[str],
    repeats: int,
    engine: LlamaCppEngine,
    other: _PlainProcess,
    ours: Answers,
    plain: Answers,
    progress: Callable[[int], None],
) -> list[Completion]:
    completions: list[Completion] = []
    for start in range(0, len(prompts), _TURN):
        block = prompts[start : start + _TURN]
        our_times: list[list[float]] = [[] for _ in block]
        plain_times: list[list[float]] = [[] for _ in block]
        for repeat in range(repeats):
            for place, prompt in enumerate(block):
                answer = other.call("complete", prompt=prompt)
                plain_times[place].append(answer["seconds"])
                if repeat == 0:
                    plain.texts.append(answer["text"])
                    plain.ids.append(answer["ids"])
                    plain.tokens += answer["tokens"]
            for place, prompt in enumerate(block):
                began = time.perf_counter()
                completion = _ask(engine, prompt)
                our_times[place].append(time.perf_counter() - began)
                if repeat == 0:
                    ours.texts.append(completion.text)
                    ours.ids.append(list(completion.ids))
                    ours.cut.append(not completion.finished)
                    ours.tokens += completion.tokens
                    completions.append(completion)
        ours.seconds += map(min, our_times)
        plain.seconds += map(min, plain_times)
        progress(len(ours.texts))
    return completions


def _ask(engine: LlamaCppEngine, prompt: str) -> Completion:
    template = engine.template
    (completion,) = engine.generate(
        GenerateRequest(prefix=template.prefix, user=prompt, suffix=template.suffix, stop=template.stop)
    )
    return completion


def _same(index: int, ours: Answers, plain: Answers) -> bool:
    """Equal texts; or, cut off at the limit, equal tokens, of which plain does not tell the last."""
    if ours.texts[index] == plain.texts[index]:
        return True
    mine, theirs = ours.ids[index], plain.ids[index]
    return len(mine) - 1 <= len(theirs) <= len(mine) and mine[: len(theirs)] == theirs and ours.cut[index]


def _trace(other: _PlainProcess, prompt: str, index: int, ours: Answers, plain: Answers) -> Difference:
    """Where the two token sequences part, ask how near the two tokens are."""
    mine, theirs = ours.ids[index], plain.ids[index]
    place = next(
        (i for i, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), min(len(mine), len(theirs))
    )
    if place >= len(mine) or place >= len(theirs):
        return Difference(prompt, ours.texts[index], plain.texts[index], float("inf"), 0.0)
    tie = other.call("tie", prompt=prompt, answer=theirs[:place], ours=mine[place], theirs=theirs[place])
    return Difference(prompt, ours.texts[index], plain.texts[index], tie["gap"], tie["noise"])


class _PlainProcess:
    """The process of plain.py."""

    def __init__(self, setting: Setting, threads: int, template: PromptTemplate, ours: EngineStatus) -> None:
        """With GPU layers, and with or without repacked weights, as `ours` came to run."""
        self._process = subprocess.Popen(
            [sys.executable, "-X", "utf8", str(PLAIN_FILE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        options = {
            "path": str(setting.model),
            "threads": threads,
            "gpu_layers": ours.gpu_layers or 0,
            "extra_buffers": not ours.safe_setting,
            "context": setting.context,
            "flash_attention": setting.flash_attention,
            "prefix": template.prefix,
            "suffix": template.suffix,
            "stop": template.stop[0],
        }
        self.ready = self._exchange(options)

    def call(self, op: str, **fields: Any) -> dict[str, Any]:
        return self._exchange({"op": op, **fields})

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps(message) + "\n")
            stdin.flush()
            line = stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise EngineError(f"llama-cpp-python's create_completion fails with code {self._process.wait()}.")
        answer: dict[str, Any] = json.loads(line)
        return answer
