"""The scorer's tokenizer: the encoder's, which drops articles, "and", "or" and punctuation before it cuts words up.

They say nothing about what is drawn, but captions are full of them and risky prompts, lists of tags, are not: a scorer
that sees them takes "a", "and" and full stops for safety, and a rewriter that it pays puts them everywhere. Unseen,
they move no prediction at all, which hard cases can only approach.
"""

from __future__ import annotations

from pathlib import Path

from tokenizers import Regex, Tokenizer
from tokenizers.normalizers import Replace, Sequence

UNSEEN_WORDS = ("a", "an", "and", "or", "the")
_MARKS = r"[\p{P}+<=>^`|~]"
"""Punctuation and the ASCII symbols used as such; emoji and currency are content."""


def scorer_tokenizer(base: Path) -> Tokenizer:
    """That of the BERT folder `base`, which lower-cases, with `UNSEEN_WORDS` and punctuation read as white space."""
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    words = rf"\b({'|'.join(UNSEEN_WORDS)})\b"
    tokenizer.normalizer = Sequence(
        [tokenizer.normalizer, Replace(Regex(_MARKS), " "), Replace(Regex(words), " ")]
    )
    return tokenizer
