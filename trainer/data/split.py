"""Which texts are held out for evaluation: decided by the text alone, so that all parts agree."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_SEPARATORS = re.compile(r"[\W_]+")
_HELD_OUT_SHARE = 5


def text_key(text: str) -> str:
    """The text for comparison: NFKC, case folded, letters and digits only, one space between words."""
    return _SEPARATORS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def is_held_out(text: str) -> bool:
    """True for a fifth of all texts, by the SHA-256 of `text_key(text)`. Of a pair, ask the toxic side."""
    digest = hashlib.sha256(text_key(text).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % _HELD_OUT_SHARE == 0
