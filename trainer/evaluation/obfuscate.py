"""Ways in which people hide words from filters, for measuring how well `posi_core.normalize` sees through them.

Each obfuscator takes a text and a source of chance and disguises words of four letters and more, each with
probability `SHARE`; the same seed gives the same text. Numbers, punctuation and short words stay.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping

from ...posi_core.syntax import SyntaxName

Obfuscator = Callable[[str, random.Random], str]
SHARE = 0.7
_WORD = re.compile(r"(?<![^\W_])[A-Za-z]{4,}(?![^\W_])")
_LEET = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "l": "1", "b": "8", "g": "9"}
_CYRILLIC = dict(zip("aceopxyiskmhtbn", "асеорхуіѕкмнтвп", strict=True))
_GREEK = dict(zip("aoivpknutxye", "αοινρκηυτχγε", strict=True))
_HOMOGLYPHS = {
    letter: _CYRILLIC.get(letter, "") + _GREEK.get(letter, "") + chr(0xFF41 + i) + chr(0x1D41A + i)
    for i, letter in enumerate("abcdefghijklmnopqrstuvwxyz")
}
_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
_OVERLAYS = "\u0335\u0336\u0337\u0338"


def _each_word(disguise: Callable[[str, random.Random], str]) -> Obfuscator:
    def obfuscate(text: str, chance: random.Random) -> str:
        return _WORD.sub(
            lambda match: disguise(match[0], chance) if chance.random() < SHARE else match[0], text
        )

    return obfuscate


def _substituted(table: Mapping[str, str], share: float) -> Callable[[str, random.Random], str]:
    """Replace letters by one of `table`'s, each with probability `share` and at least one if any has one."""

    def disguise(word: str, chance: random.Random) -> str:
        places = [i for i, letter in enumerate(word) if table.get(letter.lower())]
        if not places:
            return word
        sure = chance.choice(places)
        return "".join(
            chance.choice(table[letter.lower()])
            if i == sure or (i in places and chance.random() < share)
            else letter
            for i, letter in enumerate(word)
        )

    return disguise


def _zero_width(word: str, chance: random.Random) -> str:
    return "".join(letter + chance.choice(_ZERO_WIDTH) for letter in word[:-1]) + word[-1]


def _overlaid(word: str, chance: random.Random) -> str:
    return "".join(letter + chance.choice(_OVERLAYS) for letter in word)


def _spaced(word: str, chance: random.Random) -> str:
    return " ".join(word)


def _dotted(word: str, chance: random.Random) -> str:
    return chance.choice(".-_*/").join(word)


def _repeated(word: str, chance: random.Random) -> str:
    at = chance.randrange(len(word))
    return word[:at] + word[at] * chance.randint(3, 5) + word[at + 1 :]


def _split_by_syntax(word: str, chance: random.Random) -> str:
    cut = chance.randrange(1, len(word))
    left, right = word[:cut], word[cut:]
    forms = (
        f"({left}){right}",
        f"{left}({right}:1.1)",
        f"({left})({right})",
        f"{left}[{right}]",
        f"{left}[{right[0]}|x]{right[1:]}",
        f"[{left[:-1]}{left[-1]}|x]{right}",
        f"{left}[{right}:4]",
        f"{left}<lora:style:1>{right}",
        f"{left}{{{right}|x}}",
    )
    return chance.choice(forms)


OBFUSCATORS: Mapping[str, Obfuscator] = {
    "leet": _each_word(_substituted(_LEET, 0.6)),
    "homoglyph": _each_word(_substituted(_HOMOGLYPHS, 1.0)),
    "mixed script": _each_word(_substituted({**_CYRILLIC}, 0.5)),
    "zero width": _each_word(_zero_width),
    "combining marks": _each_word(_overlaid),
    "spaced": _each_word(_spaced),
    "dotted": _each_word(_dotted),
    "repeated": _each_word(_repeated),
    "syntax split": _each_word(_split_by_syntax),
}
SYNTAX_OF: Mapping[str, SyntaxName] = {"syntax split": "a1111"}
"""The host whose syntax an obfuscator uses; the others are plain text."""


def recovery(texts: list[str], *, seed: int = 0) -> dict[str, float]:
    """Share of disguised words that some reading of the obfuscated text shows again, for each obfuscator."""
    from ...posi_core.normalize import readings
    from ...posi_core.syntax import parse

    shares: dict[str, float] = {}
    for name, obfuscate in OBFUSCATORS.items():
        chance = random.Random(f"{seed} {name}")
        hidden = found = 0
        for text in texts:
            disguised = obfuscate(text, chance)
            raw = set(_WORD.findall(disguised))
            words = [word.lower() for word in _WORD.findall(text) if word not in raw]
            judged = parse(disguised, SYNTAX_OF.get(name, "plain")).judged()
            seen = {w.lower() for j in judged for r in readings(j) for w in re.findall(r"[A-Za-z]+", r)}
            hidden += len(words)
            found += sum(word in seen for word in words)
        shares[name] = found / hidden if hidden else 1.0
    return shares
