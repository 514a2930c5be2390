"""Tiny random llama GGUF files with a byte-level vocabulary, made in a moment with the `gguf` package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

PREFIX, SUFFIX, STOP = "<|im_start|>Rewrite:\n", "<|im_end|>", "<|im_end|>"
WORDS = ("the", "cat", "dog", "on", "a", "mat", "red", "old", "house", "by", "sea", "of", "in", "and", "with")


def byte_characters() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes, in the order of the bytes."""
    kept = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    characters, extra = [], 0
    for byte in range(256):
        if byte in kept:
            characters.append(chr(byte))
        else:
            characters.append(chr(256 + extra))
            extra += 1
    return characters


def vocabulary() -> tuple[list[str], list[int], list[str]]:
    """Tokens, their types (3 control, 1 normal) and the merges that build WORDS with a space before them."""
    space = byte_characters()[ord(" ")]
    tokens = ["<|im_start|>", "<|im_end|>", *byte_characters()]
    merges = []
    for word in WORDS:
        built = space
        for character in word:
            merge = f"{built} {character}"
            built += character
            if built not in tokens:
                tokens.append(built)
                merges.append(merge)
    return tokens, [3, 3] + [1] * (len(tokens) - 2), merges


def write_tiny_gguf(
    path: Path,
    *,
    seed: int = 0,
    hidden: int = 64,
    layers: int = 2,
    architecture: str = "llama",
    template: bool = True,
    copying: float = 0.0,
) -> Path:
    """A llama of random float32 weights. `copying` > 0 ties the output to the input's embedding, scaled, which
    makes a token likely to be followed by itself: for long answers in which drafts are right now and then."""
    from gguf import GGUFWriter

    tokens, types, merges = vocabulary()
    heads, feed = 4, 2 * hidden
    writer = GGUFWriter(path, architecture)
    writer.add_context_length(4096)
    writer.add_embedding_length(hidden)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(feed)
    writer.add_head_count(heads)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(hidden // heads)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(False)
    if template:
        writer.add_string("posi.template.prefix", PREFIX)
        writer.add_string("posi.template.suffix", SUFFIX)
        writer.add_string("posi.template.stop", STOP)
        writer.add_string("posi.training_commit", "0123abc")
    for name, tensor in _tensors(
        np.random.default_rng(seed), len(tokens), hidden, feed, layers, copying
    ).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensors(
    random: np.random.Generator, vocabulary_size: int, hidden: int, feed: int, layers: int, copying: float
) -> dict[str, Any]:
    def matrix(rows: int, columns: int) -> Any:
        return random.normal(0, columns**-0.5, (rows, columns)).astype(np.float32)

    embedding = matrix(vocabulary_size, hidden)
    output = matrix(vocabulary_size, hidden) + copying * embedding
    tensors = {
        "token_embd.weight": embedding,
        "output_norm.weight": np.ones(hidden, np.float32),
        "output.weight": output,
    }
    for layer in range(layers):
        block = f"blk.{layer}."
        tensors |= {
            f"{block}attn_norm.weight": np.ones(hidden, np.float32),
            f"{block}attn_q.weight": matrix(hidden, hidden),
            f"{block}attn_k.weight": matrix(hidden // 2, hidden),
            f"{block}attn_v.weight": matrix(hidden // 2, hidden),
            f"{block}attn_output.weight": matrix(hidden, hidden),
            f"{block}ffn_norm.weight": np.ones(hidden, np.float32),
            f"{block}ffn_gate.weight": matrix(feed, hidden),
            f"{block}ffn_up.weight": matrix(feed, hidden),
            f"{block}ffn_down.weight": matrix(hidden, feed),
        }
    return tensors
