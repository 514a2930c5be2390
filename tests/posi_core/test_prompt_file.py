"""Prompt files: text or JSON lines, gzipped or not; one clear line where they cannot be used."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from posi.posi_core.errors import UsageError
from posi.posi_core.prompt_file import read_prompts, read_rows

PROMPTS = ["a red barn", "{two|three} dogs, {oil|ink}", "the sea at noon"]


def test_the_same_prompts_from_every_kind_of_file(tmp_path: Path) -> None:
    rows = "\n".join(json.dumps({"prompt": prompt}) for prompt in PROMPTS)
    for name, data in (
        ("p.jsonl", rows.encode()),
        ("p.jsonl.gz", gzip.compress(rows.encode())),
        ("p.txt", "\n\n".join(PROMPTS).encode()),
        ("p.txt.gz", gzip.compress("\n".join(PROMPTS).encode())),
    ):
        (tmp_path / name).write_bytes(data)
        assert read_prompts(tmp_path / name) == PROMPTS
        assert read_prompts(tmp_path / name, 2) == PROMPTS[:2]


def test_text_that_begins_like_json_is_text(tmp_path: Path) -> None:
    path = tmp_path / "dynamic.txt"
    path.write_text("{red|blue} barn\n")
    assert read_prompts(path) == ["{red|blue} barn"]


def test_rows_keep_their_columns_and_spaces(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"toxic": " a ", "clean": "b"}\n\n{"prompt": "c", "categories": ["hate"]}\n')
    first, second = read_rows(path)
    assert (first["prompt"], first["clean"], second["categories"]) == (" a ", "b", ["hate"])
    assert read_prompts(path) == ["a", "c"]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("no.jsonl", b"{]", "line 1 is not JSON"),
        ("bad.jsonl", b'{"prompt": "a"}\n\n{"text": "a"}', "line 3 is not JSON with"),
        ("list.jsonl", b"[1]", "line 1 is not JSON"),
        ("empty.txt", b"\n", "has no prompts"),
        ("latin.txt", b"caf\xe9", "cannot be read"),
        ("x.gz", b"abc", "cannot be read"),
        ("absent.txt", None, "cannot be read"),
    ],
)
def test_unusable_files(tmp_path: Path, name: str, data: bytes | None, message: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=message):
        read_prompts(tmp_path / name)
