"""Greedy rewrites by llama.cpp and by transformers, one prompt at a time, with the same template and limits."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...posi_core.bench.plain import without_repacked_weights
from ...posi_core.engine.settings import default_threads
from ...posi_core.errors import ModelFileError
from ..template import Template
from .gguf_file import read_template


@dataclass(frozen=True)
class Greedy:
    """Texts and tokens (the stop token included, where it came) in the order of the prompts.

    `seconds` is wall time of reading prompts and decoding.
    """

    texts: tuple[str, ...]
    answers: tuple[tuple[int, ...], ...]
    seconds: float

    @property
    def tokens(self) -> int:
        """Tokens generated in all."""
        return sum(map(len, self.answers))


def answer_limit(prompt_tokens: int) -> int:
    """Most tokens an answer may have: a rewrite is about as long as its prompt."""
    return prompt_tokens * 3 // 2 + 32


def greedy_llama_cpp(path: Path, prompts: Sequence[str], *, threads: int | None = None) -> Greedy:
    """By the GGUF file's own template. Raises ModelFileError when the file cannot be used."""
    import llama_cpp

    template = read_template(path)
    threads = threads or default_threads()  # llama-cpp-python takes half of the processors: one of two cores
    try:
        with without_repacked_weights():  # a crash here would take hours of training along
            model = llama_cpp.Llama(
                str(path), n_ctx=2048, n_threads=threads, n_threads_batch=threads, verbose=False
            )
    except ValueError as error:
        raise ModelFileError(f"llama.cpp cannot load {path}: {error}") from error

    def tokens_of(text: str, special: bool) -> list[int]:
        ids: list[int] = model.tokenize(text.encode(), add_bos=False, special=special)
        return ids

    before, after = tokens_of(template.prefix, True), tokens_of(template.suffix, True)
    (stop,) = tokens_of(template.stop, True)
    texts: list[str] = []
    answers: list[tuple[int, ...]] = []
    began = time.perf_counter()
    for prompt in prompts:
        middle = tokens_of(prompt, False)
        answer: list[int] = []
        for token in model.generate([*before, *middle, *after], temp=0.0, repeat_penalty=1.0):
            answer.append(token)
            if token == stop or len(answer) >= answer_limit(len(middle)):
                break
        texts.append(
            model.detokenize([token for token in answer if token != stop]).decode("utf-8", "replace")
        )
        answers.append(tuple(answer))
    seconds = time.perf_counter() - began
    model.close()
    return Greedy(tuple(texts), tuple(answers), seconds)


def greedy_transformers(model: Any, tokenizer: Any, template: Template, prompts: Sequence[str]) -> Greedy:
    """By a transformers model in whatever precision it has."""
    import torch

    (stop,) = tokenizer(template.stop, add_special_tokens=False).input_ids
    texts: list[str] = []
    answers: list[tuple[int, ...]] = []
    began = time.perf_counter()
    for prompt in prompts:
        ids = torch.tensor([template.prompt_ids(tokenizer, prompt)])
        own = len(tokenizer(prompt, add_special_tokens=False, split_special_tokens=True).input_ids)
        with torch.no_grad():
            out = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=answer_limit(own),
                eos_token_id=stop,
                pad_token_id=stop,
            )
        answer = out[0, ids.shape[1] :].tolist()
        texts.append(tokenizer.decode([token for token in answer if token != stop]))
        answers.append(tuple(answer))
    return Greedy(tuple(texts), tuple(answers), time.perf_counter() - began)


def would_say(model: Any, prompt: Sequence[int], answer: Sequence[int]) -> bool:
    """Whether greedy decoding of `model` after the tokens `prompt` gives exactly the tokens `answer`.

    One pass over both: it does if every token of the answer is the most likely one after those before it.
    """
    import torch

    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *answer[:-1]]])).logits[0, len(prompt) - 1 :]
    said: list[int] = logits.argmax(-1).tolist()
    return said == list(answer)
