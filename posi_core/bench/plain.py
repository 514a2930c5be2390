"""The yardstick of `posi bench`: llama-cpp-python's own `create_completion`, greedy, in a process of its own.

Run by path: JSON lines in on standard input, out on standard output. It imports nothing of POSI.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any


def main() -> None:
    answers = os.dup(1)
    os.dup2(2, 1)

    def send(message: dict[str, Any]) -> None:
        os.write(answers, json.dumps(message).encode() + b"\n")

    options = json.loads(sys.stdin.readline())
    import llama_cpp

    with nullcontext() if options["extra_buffers"] else without_repacked_weights():
        model = llama_cpp.Llama(
            options["path"],
            n_ctx=options["context"],
            n_threads=options["threads"],
            n_threads_batch=options["threads"],
            n_gpu_layers=options["gpu_layers"],
            flash_attn=options["flash_attention"],
            verbose=False,
        )
    plain = Plain(model, options)
    send({"event": "ready", "extra_buffers": bool(model.model_params.use_extra_bufts)})
    for line in sys.stdin:
        request = json.loads(line)
        send(getattr(plain, request.pop("op"))(**request))


@contextmanager
def without_repacked_weights() -> Iterator[None]:
    """A `Llama` made inside has none, which it takes no argument for: they crash some builds, with AMX for one."""
    from llama_cpp import llama_cpp

    defaults = llama_cpp.llama_model_default_params

    def safe() -> Any:
        parameters = defaults()
        parameters.use_extra_bufts = False
        return parameters

    llama_cpp.llama_model_default_params = safe
    try:
        yield
    finally:
        llama_cpp.llama_model_default_params = defaults


class Plain:
    """A `Llama` with the rewriter's template around each prompt, tokenised as the rewriter does."""

    def __init__(self, model: Any, options: dict[str, Any]) -> None:
        self.model = model
        self._before = self._tokens(options["prefix"], True)
        self._after = self._tokens(options["suffix"], True)
        self._stop = self._tokens(options["stop"], True)[0]

    def complete(self, prompt: str) -> dict[str, Any]:
        """One completion: text, tokens (the stop token left out), seconds."""
        user = self._tokens(prompt, False)
        tokens = [*self._before, *user, *self._after]
        began = time.perf_counter()
        answer = self.model.create_completion(
            tokens, max_tokens=len(user) * 3 // 2 + 32, temperature=0.0, logit_bias=None
        )
        seconds = time.perf_counter() - began
        choice = answer["choices"][0]
        ids = [int(token) for token in self.model.input_ids[len(tokens) : self.model.n_tokens]]
        return {
            "text": choice["text"],
            "ids": ids,
            "tokens": answer["usage"]["completion_tokens"],
            "finished": choice["finish_reason"] == "stop",
            "seconds": seconds,
        }

    def memory(self) -> dict[str, Any]:
        """Peak resident memory in bytes, where the system says."""
        try:
            with open("/proc/self/status", encoding="ascii", errors="replace") as status:
                peak = next(line for line in status if line.startswith("VmHWM"))
            return {"peak_memory": int(peak.split()[1]) * 1024}
        except (OSError, StopIteration):
            return {"peak_memory": None}

    def tie(self, prompt: str, answer: list[int], ours: int, theirs: int) -> dict[str, Any]:
        """How near two next tokens are after `answer`, and how much rounding moves logits there.

        `gap`: logit of `theirs` minus that of `ours`, decoded token by token as `complete` does. `noise`: the
        largest difference of any logit to decoding everything in one batch.
        """
        import numpy as np

        tokens = [*self._before, *self._tokens(prompt, False), *self._after]
        self.model.reset()
        self.model.eval(tokens)
        for token in answer:
            self.model.eval([token])
        single = self._last_logits()
        self.model.reset()
        self.model.eval([*tokens, *answer])
        batch = self._last_logits()
        return {
            "gap": float(single[theirs] - single[ours]),
            "noise": float(np.abs(single - batch).max()),
        }

    def _last_logits(self) -> Any:
        import numpy as np

        pointer = self.model._ctx.get_logits_ith(-1)
        return np.ctypeslib.as_array(pointer, shape=(self.model.n_vocab(),)).copy()

    def _tokens(self, text: str, special: bool) -> list[int]:
        ids: list[int] = self.model.tokenize(text.encode("utf-8", "replace"), add_bos=False, special=special)
        return ids


if __name__ == "__main__":
    main()
