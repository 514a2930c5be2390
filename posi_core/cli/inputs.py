"""Prompts from arguments, a file, or standard input: one a line, in order, none lost."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError


@dataclass(frozen=True)
class Prompts:
    """Texts to work on; `total` is None for a stream, `many` tells a file from an argument or two."""

    texts: Iterable[str]
    total: int | None
    many: bool


def read_prompts(texts: Sequence[str] | None, file: str | None) -> Prompts:
    """From TEXT arguments or `--file`; "-" in either place is standard input, read as it comes.

    An empty line is a prompt, so that output lines match input lines. Lines end with LF or CRLF and with
    nothing else. Raises UsageError if there is no input, or two, or it is not UTF-8 (UTF-16 with a byte order
    mark is read too).
    """
    if file is not None and texts:
        raise UsageError("Give either prompts or --file, not both")
    if file == "-" or (file is None and list(texts or ()) == ["-"]):
        return Prompts(_lines("standard input", sys.stdin.buffer), None, True)
    if file is not None:
        lines = _read_file(Path(file).expanduser())
        return Prompts(lines, len(lines), True)
    if not texts:
        raise UsageError('Nothing to do: give a prompt in quotes, or --file FILE ("-" is standard input)')
    for text in texts:
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise UsageError(f"{text!a} is not UTF-8 text: check the terminal's encoding, or use --file")
    return Prompts(texts, len(texts), False)


def _read_file(path: Path) -> list[str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = data.decode("utf-16", errors="replace").encode()
    # Not splitlines(), which also splits at a bare CR: that is a character of the prompt here.
    return list(_lines(str(path), data.removesuffix(b"\n").split(b"\n"))) if data else []


def _lines(name: str, stream: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(stream, 1):
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        try:
            yield line.decode()
        except UnicodeDecodeError:
            raise UsageError(f"{name}, line {number}, is not UTF-8: save it as UTF-8 and try again") from None
