"""What a small model adds to a rewrite and nobody asked for is taken off; what is no rewrite is refused."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

_TEMPLATE_TOKEN = re.compile(r"<\|[^|<>\n]{0,40}\|>|</?s>|\[/?INST\]|<<?/?SYS>?>|<(?:start|end)_of_turn>")
_CHATTER = re.compile(
    r"""^(?:
        (?:sure|certainly|of\ course|okay|ok)\b[^\n:]{0,80}[:!.\n]\s* |
        here(?:'s|\ is|\ are)\b[^\n:]{0,80}:\s* |
        (?:the\ )?(?:safe|safer|rewritten|revised|clean)(?:\ (?:version|image|prompt|rewrite))+\s*:\s* |
        (?:prompt|output|answer|rewrite|assistant|response)\s*:\s*
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_REFUSAL = re.compile(
    r"^(?:i(?:'m|\ am)\ (?:sorry|unable|an\ ai|not\ able)|i\ (?:cannot|can't|can\ not|won't)|as\ an\ ai|sorry,)",
    re.IGNORECASE,
)
_QUOTES = {'"': '"', "“": "”", "'": "'", "`": "`", "«": "»"}
_END_MARKS = " .,;:!?…"
_ARTICLE = re.compile(r"\A(?:an?|the)\s+(?=\w)", re.IGNORECASE)
_REPEATS = 3  # a phrase said so many times in a row, and more often than in the original, is running away


def clean(answer: str, original: str, *, finished: bool) -> str | None:
    """The rewrite in a model's answer, or None if there is no usable one.

    Template tokens, chatter before the rewrite, quotation marks around it and a runaway repetition at its end are
    taken off, and its edges are made the original's (`same_edges`). None: nothing is left; a refusal; another script
    than the original's (a change of language); an answer that did not end by itself and was not running in a circle
    either; broken text.
    """
    text = _TEMPLATE_TOKEN.sub(" ", answer)
    text = "".join(character for character in text if character in "\n\t" or character.isprintable())
    if not _CHATTER.match(original):
        text = _CHATTER.sub("", text.strip(), count=1)
    text = _unquoted(text.strip(), original)
    if "\n" not in original:
        text = (
            " ".join(text.split("\n", 1)[0].split()) if _explains(text, original) else " ".join(text.split())
        )
    shortened = without_runaway(text, original)
    if not finished and shortened == text:
        return None
    text = same_edges(shortened.strip(), original)
    if not text or "�" in text or (_REFUSAL.match(text) and not _REFUSAL.match(original)):
        return None
    return text if _same_script(text, original) else None


def same_edges(text: str, original: str) -> str:
    """The text with the original's end marks, and without an article in front where the original has none.

    "A" before a prompt and a full stop behind it are no change that anybody asked for. They lower a predicted risk
    all the same, so that policies learned to set them. A first word that stayed keeps its capital as well.
    """
    said = text.lstrip().rstrip(_END_MARKS)
    if not said:
        return ""
    if not _ARTICLE.match(original):
        said = _ARTICLE.sub("", said, count=1)
    first, now = original.split(maxsplit=1)[:1], said.split(maxsplit=1)[:1]
    if first and first[0].lower() == now[0].lower():
        said = first[0] + said[len(now[0]) :]
    return said + original.rstrip()[len(original.rstrip(_END_MARKS)) :]


def without_runaway(text: str, original: str) -> str:
    """The text without a phrase that repeats at its end, beyond what the original repeats; one instance stays."""
    words = text.split(" ")
    for length in range(1, len(words) // _REPEATS + 1):
        phrase = words[len(words) - length :]
        bare = [_bare(word) for word in phrase]
        count = 1
        while [_bare(word) for word in _before(words, length, count)] == bare:
            count += 1
        if count >= _REPEATS and _longest_run(original.split(), length) < count:
            return " ".join(words[: len(words) - length * (count - 1)]).rstrip(" ,;")
    # One word without spaces may run away as well.
    match = re.search(r"(\S{1,12}?)\1{7,}\S{0,12}$", text)
    if match and match.group(1) * 8 not in original:
        return text[: match.start()].rstrip(" ,;")
    return text


def _before(words: list[str], length: int, count: int) -> list[str]:
    end = len(words) - length * count
    return words[max(end - length, 0) : end] if end >= length else []


def _longest_run(words: list[str], size: int) -> int:
    """How many times in a row any phrase of `size` words stands in the words at most."""
    bare = [_bare(word) for word in words]
    same = longest = 0
    for index in range(
        size, len(bare)
    ):  # a run of n phrases is n - 1 times `size` words equal to those before
        same = same + 1 if bare[index] == bare[index - size] else 0
        longest = max(longest, same)
    return longest // size + 1


def _bare(word: str) -> str:
    return word.strip(".,;:!?").lower()


def _unquoted(text: str, original: str) -> str:
    """Without quotation marks around the whole, unless the original has them."""
    if len(text) > 2 and _QUOTES.get(text[0]) == text[-1] and original[:1] != text[0]:
        inner = text[1:-1]
        if text[0] not in inner and text[-1] not in inner:
            return inner.strip()
    return text


def _explains(text: str, original: str) -> bool:
    """A first line that could be the rewrite, and then more lines about it."""
    first, _, rest = text.partition("\n")
    return bool(rest.strip()) and len(first) * 2 >= len(original)


def _same_script(text: str, original: str) -> bool:
    """Whether most letters are of the script most of the original's letters are of."""
    before, after = _script(original), _script(text)
    return before is None or after is None or before == after


def _script(text: str) -> str | None:
    """The commonest script among the letters, by the first word of their Unicode names; None without letters."""
    counts = Counter(
        unicodedata.name(character, "").split(" ", 1)[0] for character in text if character.isalpha()
    )
    return counts.most_common(1)[0][0] if counts else None
