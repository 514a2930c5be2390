"""llama.cpp through llama-cpp-python's low-level bindings: load, tokenise, decode rows, forget rows.

Runs in the worker process alone. Of the high-level `Llama` class nothing is used: its loop decodes one token at a
time and copies every row of logits.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = 512
"""Most rows of one call to llama.cpp: also what `Llama` uses, so that both read a long prompt alike."""

_LOG_WARNING = 3


class LoadError(Exception):
    """llama.cpp refuses the file."""


@dataclass(frozen=True)
class LoadOptions:
    """How a model is loaded. `extra_buffers` allows repacked weights: fast, and what crashes on some CPUs."""

    path: str
    threads: int
    gpu_layers: int | None
    context: int
    sequences: int
    extra_buffers: bool
    flash_attention: bool


class LlamaModel:
    """A loaded model with one context, whose key-value cache is shared by `sequences` token sequences."""

    def __init__(self, options: LoadOptions) -> None:
        import llama_cpp

        self._api: Any = llama_cpp
        api = self._api
        self._log = api.llama_log_callback(_log_warnings)  # kept: llama.cpp holds a bare pointer to it
        api.llama_log_set(self._log, ctypes.c_void_p(0))
        api.llama_backend_init()
        parameters = api.llama_model_default_params()
        gpu = bool(api.llama_supports_gpu_offload())
        layers = options.gpu_layers if options.gpu_layers is not None else (-1 if gpu else 0)
        parameters.n_gpu_layers = 999 if layers < 0 else layers
        parameters.use_extra_bufts = options.extra_buffers
        self.gpu_layers = layers if gpu else 0
        self._model = api.llama_model_load_from_file(options.path.encode(), parameters)
        if not self._model:
            raise LoadError("llama.cpp cannot load it")
        self._vocabulary = api.llama_model_get_vocab(self._model)
        self.vocabulary_size = int(api.llama_vocab_n_tokens(self._vocabulary))
        self._context = self._new_context(options)
        self._memory = api.llama_get_memory(self._context)
        self._starts: dict[int, bool] = {}
        self._allocate_batch()

    def _new_context(self, options: LoadOptions) -> Any:
        api = self._api
        parameters = api.llama_context_default_params()
        parameters.n_ctx = options.context
        parameters.n_batch = parameters.n_ubatch = BATCH
        parameters.n_seq_max = options.sequences
        parameters.n_threads = parameters.n_threads_batch = options.threads
        parameters.kv_unified = True  # one pool of cells: a prompt shared by all candidates is stored once
        parameters.flash_attn_type = (
            api.LLAMA_FLASH_ATTN_TYPE_ENABLED
            if options.flash_attention
            else api.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        context = api.llama_init_from_model(self._model, parameters)
        if not context:
            raise LoadError(f"llama.cpp cannot make a context of {options.context} tokens")
        return context

    def _allocate_batch(self) -> None:
        import numpy as np

        self._tokens = np.zeros(BATCH, np.int32)
        self._positions = np.zeros(BATCH, np.int32)
        self._sequences = np.zeros(BATCH, np.int32)
        self._wanted = np.zeros(BATCH, np.int8)
        counts = np.ones(BATCH, np.int32)
        step = self._sequences.itemsize
        base = self._sequences.ctypes.data
        pointers = (ctypes.POINTER(ctypes.c_int32) * BATCH)(
            *(ctypes.cast(base + row * step, ctypes.POINTER(ctypes.c_int32)) for row in range(BATCH))
        )
        self._kept_alive = (counts, pointers)
        batch = self._api.llama_batch()
        batch.token = self._tokens.ctypes.data_as(type(batch.token))
        batch.pos = self._positions.ctypes.data_as(type(batch.pos))
        batch.n_seq_id = counts.ctypes.data_as(type(batch.n_seq_id))
        batch.seq_id = ctypes.cast(pointers, type(batch.seq_id))
        batch.logits = self._wanted.ctypes.data_as(type(batch.logits))
        self._batch = batch

    def metadata(self, key: str) -> str | None:
        """A text value of the GGUF's metadata."""
        size = 4096
        buffer = ctypes.create_string_buffer(size)
        length = self._api.llama_model_meta_val_str(self._model, key.encode(), buffer, size)
        return buffer.value.decode("utf-8", "replace") if 0 <= length < size else None

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """Tokens of a text, without any begin or end token. Lone surrogates become question marks."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 16
        tokens = (self._api.llama_token * room)()
        count = self._api.llama_tokenize(self._vocabulary, data, len(data), tokens, room, False, special)
        if count < 0:
            raise ValueError(f"a text of {len(data)} bytes has more than {room} tokens")
        return list(tokens[:count])

    def text(self, tokens: Sequence[int]) -> str:
        """Text of ordinary tokens; control tokens are left out, broken UTF-8 becomes U+FFFD."""
        return b"".join(self._piece(token) for token in tokens).decode("utf-8", "replace")

    def starts_word(self, token: int) -> bool:
        """Whether a token begins a word, or is punctuation, a control token or a line break."""
        known = self._starts.get(token)
        if known is None:
            piece = self._piece(token)
            known = not piece[:1].isalnum() and piece[:1] < b"\x80"
            self._starts[token] = known
        return known

    def is_end(self, token: int) -> bool:
        """Whether the vocabulary marks the token as the end of a text."""
        return bool(self._api.llama_vocab_is_eog(self._vocabulary, token))

    def _piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        count = self._api.llama_token_to_piece(self._vocabulary, token, buffer, 256, 0, False)
        return buffer.raw[: max(count, 0)]

    def decode(
        self,
        tokens: Sequence[int],
        positions: Sequence[int],
        sequences: Sequence[int],
        wanted: Sequence[bool],
    ) -> NDArray[np.float32]:
        """Run at most BATCH rows; their keys and values join the cache. Returns logits of the wanted rows.

        float32 [wanted rows, vocabulary], a view that the next call overwrites. Raises RuntimeError.
        """
        import numpy as np

        count = len(tokens)
        self._batch.n_tokens = count
        self._tokens[:count] = tokens
        self._positions[:count] = positions
        self._sequences[:count] = sequences
        self._wanted[:count] = wanted
        code = self._api.llama_decode(self._context, self._batch)
        if code != 0:
            raise RuntimeError(f"llama_decode failed with code {code} on {count} rows")
        rows = int(self._wanted[:count].sum())
        if rows == 0:
            return np.empty((0, self.vocabulary_size), np.float32)
        pointer = self._api.llama_get_logits(self._context)
        return np.ctypeslib.as_array(pointer, shape=(rows, self.vocabulary_size))

    def forget(self, sequence: int, start: int) -> None:
        """Drop a sequence's cache from position `start` on."""
        self._api.llama_memory_seq_rm(self._memory, sequence, start, -1)

    def share(self, source: int, target: int, end: int) -> None:
        """Let `target` use the first `end` positions of `source`'s cache; nothing is copied."""
        self._api.llama_memory_seq_cp(self._memory, source, target, 0, end)


def _log_warnings(level: int, text: bytes, _data: Any) -> None:
    if level >= _LOG_WARNING:
        sys.stderr.write(text.decode("utf-8", "replace"))
        sys.stderr.flush()
