"""Makes words that a rewrite brought in plain text for the host: a model cannot write syntax."""

from __future__ import annotations

import re

from .cells import invisible

_DROPPED = re.compile(r"[{}<>|\\#$^~`]|_{2,}")
_TAG = re.compile(r"<\w{1,40}:[^<>]{0,400}>")
_EMBEDDING = re.compile(r"\bembedding:\s*", re.IGNORECASE)


def clean(rewrite: str, syntax: str) -> str:
    """`rewrite` without control characters, and for a host without anything it would load."""
    rewrite = "".join(char for char in rewrite if not invisible(char))
    if syntax == "plain":
        return rewrite
    return _EMBEDDING.sub("", _TAG.sub(" ", rewrite))


def said(word: str, syntax: str, *, inside: bool, following: str = "") -> str:
    """`word` as the host can be made to read it: without characters of dynamic prompts, tags, comments.

    `inside` says that brackets are open around it; `following` is the next word.
    """
    if syntax == "plain":
        return word
    if syntax == "a1111" and word in ("AND", "BREAK"):
        return word.lower()
    if word == "|":
        return ","
    if word == ":" and (inside or following[:1].isdecimal() or following[:1] in ("+", "-", ".")):
        return ","
    return _DROPPED.sub("", word)


def source(word: str, syntax: str) -> str:
    """What to write so that the host reads `word`, which `said` gave."""
    if syntax != "plain" and (word in ("(", ")") or (word in ("[", "]") and syntax == "a1111")):
        return "\\" + word
    return word


def bare(text: str) -> str:
    """`text` with nothing left that any host could take for syntax; the last resort."""
    words = re.sub(r"[^\w\s,.;!?'’\-]|_{2,}", " ", text)
    words = re.sub(r"\b(AND|BREAK)\b", lambda match: match[0].lower(), words)
    return " ".join(words.split())
