"""A tiny random llama and a tokenizer of single characters, made in a moment."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

SPECIAL = ("<|im_start|>", "<|im_end|>")
CHARACTERS = string.ascii_letters + string.digits + " ,.:'\n-()"


def tiny_tokenizer() -> Any:
    """Each character is a token; the two template tokens are special."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: index for index, token in enumerate([*SPECIAL, *CHARACTERS, "?"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        bos_token="<|im_start|>",
        unk_token="?",
    )


def tiny_llama(seed: int = 0, *, hidden: int = 32, layers: int = 2) -> Any:
    """A LlamaForCausalLM of some ten thousand random float32 weights, with the tokenizer's vocabulary."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(SPECIAL) + len(CHARACTERS) + 1,
            hidden_size=hidden,
            intermediate_size=2 * hidden,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
            initializer_range=0.3,
        )
    )


def save_tiny_base(folder: Path, seed: int = 0) -> Path:
    """Model and tokenizer as a local transformers folder."""
    tiny_llama(seed).save_pretrained(str(folder))
    tiny_tokenizer().save_pretrained(str(folder))
    return folder
