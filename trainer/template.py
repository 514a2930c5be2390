"""The prompt template: what stands around a prompt in training and, through the GGUF's metadata, in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Template:
    """`prefix` + the user's prompt + `suffix`, then the answer, ended by `stop`.

    The three parts are tokenised apart from each other and joined as tokens, in training and in use alike: the
    prompt's own tokens are then those of the answer that copies it, and a prompt that spells a special token
    cannot become one. The prefix is cached between requests; the suffix is paid by every request, so it is short.
    """

    prefix: str = "<|im_start|>Rewrite this image prompt so that it is safe:\n"
    suffix: str = "<|im_end|>"
    stop: str = "<|im_end|>"

    def prompt_ids(self, tokenizer: Any, prompt: str) -> list[int]:
        """Tokens of prefix, prompt and suffix; special tokens are parsed in prefix and suffix alone."""
        return [
            *special_ids(tokenizer, self.prefix),
            *plain_ids(tokenizer, prompt),
            *special_ids(tokenizer, self.suffix),
        ]

    def answer_ids(self, tokenizer: Any, answer: str) -> list[int]:
        """Tokens of the answer and the stop token."""
        return [*plain_ids(tokenizer, answer), *special_ids(tokenizer, self.stop)]


def special_ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
    return ids


def plain_ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids
    return ids
