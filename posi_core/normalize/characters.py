"""Characters that look like Latin letters without being them, and characters that do not show at all.

Tables: Unicode's own (NFKC, character names) through `unicodedata`, and the confusables of UTS 39 through the
package confusable-homoglyphs, loaded only when a text mixes scripts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from .mapped import Edit, Mapped
from .plausible import plausibility

_NAMED_LETTER = re.compile(
    r"(?:LATIN (?:CAPITAL |SMALL )?LETTER (?:SMALL CAPITAL |TURNED |REVERSED |OPEN |SCRIPT |INSULAR |SIDEWAYS )*"
    r"|REGIONAL INDICATOR SYMBOL LETTER "
    r"|.* LATIN (?:CAPITAL|SMALL) LETTER )([A-Z])(?: WITH .*)?"
)
_ALPHABETS = (
    "CYRILLIC",
    "GREEK",
    "ARMENIAN",
    "CHEROKEE",
    "COPTIC",
    "LISU",
    "GEORGIAN",
    "DESERET",
    "OLD ITALIC",
)
# Stand-ins too loose for UTS 39 that are only read as Latin beside Latin letters.
_LOOSE = dict(zip("вкмнтибяпгдуцшщэеёзлфψωηκτυσλεπδθβ", "bkmhtnbrnrdyuwwaeezlfywnktuolendob", strict=True))
_MARKS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f]+")
_OVERLAYS = re.compile("[\u0334-\u0338\u20d0-\u20f0]")
_WORD = re.compile(r"[^\W_]+")
_FLAGS = re.compile("[\U0001f1e6-\U0001f1ff]+")
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


def read_characters(mapped: Mapped) -> Mapped:
    """Drop what does not show, undo stacked marks and styled letters, and read lookalikes as Latin.

    Words wholly in another script, and accents that words really have, stay as they are.
    """
    if mapped.text.isascii() and mapped.text.isprintable():
        return mapped
    mapped = mapped.edited(_hidden(mapped.text))
    mapped = mapped.edited(_marks(mapped.text))
    mapped = mapped.edited(_styled(mapped.text))
    return mapped.edited(_lookalikes(mapped.text))


def _hidden(text: str) -> Iterator[Edit]:
    return (Edit(i, i + 1, "") for i, char in enumerate(text) if _unseen(char))


@lru_cache(maxsize=4096)
def _unseen(char: str) -> bool:
    if char in _UNSEEN or 0xFE00 <= ord(char) <= 0xFE0F or 0xE0100 <= ord(char) <= 0xE01EF:
        return True
    return unicodedata.category(char) in ("Cc", "Cf", "Cs") and not char.isspace()


def _marks(text: str) -> Iterator[Edit]:
    """Compose marks with their letter; drop overlays and stacks that no language writes."""
    for match in _MARKS.finditer(text):
        start = match.start()
        if start == 0 or not text[start - 1].isalnum():
            yield Edit(start, match.end(), "")
            continue
        letter, marks = text[start - 1], _OVERLAYS.sub("", match[0])
        if len(match[0]) > 2:
            letter, marks = unicodedata.normalize("NFD", letter)[0], ""
        composed = unicodedata.normalize("NFC", letter + marks)
        if composed != text[start - 1 : match.end()]:
            yield Edit(start - 1, match.end(), composed)


def _styled(text: str) -> Iterator[Edit]:
    flags = [m.span() for m in _FLAGS.finditer(text) if m.end() - m.start() < 4]
    for i, char in enumerate(text):
        plain = _plain(char)
        if plain and not any(start <= i < end for start, end in flags):
            yield Edit(i, i + 1, plain)


@lru_cache(maxsize=4096)
def _plain(char: str) -> str:
    """The ASCII letters or digits that a styled character stands for, or "" if it is none."""
    if char.isascii():
        return ""
    folded = unicodedata.normalize("NFKC", char)
    if folded.isascii() and folded.isalnum() and unicodedata.category(char) != "No":
        return folded
    # Letters of living orthographies (ø, đ, ł, ı …) stay; phonetic and enclosed ones are decoration.
    if 0xA0 <= ord(char) <= 0x17F or (0x1E00 <= ord(char) <= 0x1EFF) or 0x180 <= ord(char) <= 0x24F:
        return ""
    match = _NAMED_LETTER.fullmatch(unicodedata.name(char, ""))
    if not match:
        return ""
    return match[1].lower() if "SMALL" in unicodedata.name(char) else match[1]


def _lookalikes(text: str) -> Iterator[Edit]:
    """Letters of other alphabets inside words that also have Latin ones, or in a Latin text spell a word."""
    if text.isascii():
        return
    words = list(_WORD.finditer(text))
    latin = sum(char.isascii() and char.isalpha() for char in text)
    foreign = sum(_script(char) in _ALPHABETS for char in text if not char.isascii())
    if not foreign:
        return
    for match in words:
        word = match[0]
        scripts = {_script(char) for char in word if char.isalpha()}
        if not scripts.intersection(_ALPHABETS):
            continue
        mixed = "LATIN" in scripts or (len(scripts) > 1 and scripts.issubset(_ALPHABETS))
        reads = [_latin(char, loose=mixed) for char in word]
        if not mixed:
            whole = "".join(read or char for read, char in zip(reads, word, strict=True)).lower()
            digits = any(char.isdigit() for char in word)
            if latin <= foreign or (len(word) < 3 and not digits):
                continue
            if not all(r or c.isdigit() for r, c in zip(reads, word, strict=True)):
                continue
            if not digits and plausibility(whole) < 0:
                continue
        for i, read in enumerate(reads):
            if read:
                yield Edit(match.start() + i, match.start() + i + 1, read)


@lru_cache(maxsize=4096)
def _script(char: str) -> str:
    name = unicodedata.name(char, "")
    return next((script for script in ("LATIN", *_ALPHABETS) if name.startswith(script)), name.split(" ")[0])


@lru_cache(maxsize=4096)
def _latin(char: str, *, loose: bool) -> str:
    """The ASCII letter that `char` of another alphabet looks like, or ""."""
    if char.isascii() or _script(char) not in _ALPHABETS:
        return ""
    from confusable_homoglyphs.confusables import confusables_data

    for entry in confusables_data.get(char, []):
        if len(entry["c"]) == 1 and entry["c"].isascii() and entry["c"].isalpha():
            return str(entry["c"])
    return _LOOSE.get(char.lower(), "") if loose else ""
