from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from posi.posi_core import models
from posi.posi_core.errors import ModelFileError, UsageError
from posi.posi_core.models import files, manifest


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with one rewriter and a risk model of two files."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setenv("POSI_HOME", str(tmp_path / "home"))
    for module in (files, manifest):
        monkeypatch.setattr(module, "shipped_dir", lambda: folder)
    monkeypatch.setattr(files, "_hashes", {})
    for role, name in (("rewriter", "small.gguf"), ("risk", "risk.onnx"), ("risk", "risk-tokenizer.json")):
        (folder / name).write_bytes(name.encode() * 1000)
        models.update_manifest(role, name, license="Apache-2.0", source="made here", folder=folder)
    return folder


def test_find_returns_the_model_and_checks_its_companions(shipped: Path) -> None:
    assert models.find("rewriter") == shipped / "small.gguf"
    assert models.find("risk") == shipped / "risk.onnx"
    (shipped / "risk-tokenizer.json").unlink()
    with pytest.raises(
        ModelFileError, match=r"risk-tokenizer\.json is missing: reinstall POSI, or `git checkout"
    ):
        models.find("risk")


def test_a_download_is_advised_only_where_the_manifest_names_one(shipped: Path) -> None:
    path = shipped / "risk.onnx"
    path.write_bytes(b"cut")
    with pytest.raises(ModelFileError) as error:
        models.find("risk")
    assert "models pull" not in str(error.value)
    manifest = json.loads((shipped / "manifest.json").read_text())
    (shipped / "manifest.json").write_text(json.dumps({**manifest, "origin": "hf:owner/name"}))
    with pytest.raises(ModelFileError, match=r"delete it, then `posi models pull risk`, or reinstall"):
        models.find("risk")


def test_own_path_needs_no_manifest_entry(shipped: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    with pytest.raises(ModelFileError, match="does not exist"):
        models.find("rewriter", own)
    own.write_bytes(b"GGUF")
    assert models.find("rewriter", str(own)) == own


def test_truncated_file_is_refused(shipped: Path) -> None:
    path = shipped / "small.gguf"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match=r"9,999 bytes instead of 10,000 .truncated"):
        models.find("rewriter")


def test_same_size_but_other_bytes_is_refused(shipped: Path) -> None:
    models.find("rewriter")
    path = shipped / "small.gguf"
    path.write_bytes(b"x" * path.stat().st_size)
    os.utime(path, ns=(1, 1))
    with pytest.raises(ModelFileError, match="SHA-256"):
        models.find("rewriter")


def test_git_lfs_pointer_is_named_as_such(shipped: Path) -> None:
    (shipped / "small.gguf").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(ModelFileError, match="git lfs pull"):
        models.find("rewriter")


def test_hash_is_computed_once_and_remembered_on_disk(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[Path] = []
    real = files.sha256

    def counting(path: Path) -> str:
        counted.append(path)
        return real(path)

    monkeypatch.setattr(files, "sha256", counting)
    models.find("rewriter")
    models.find("rewriter")
    files._hashes.clear()  # what a new process starts with
    models.find("rewriter")
    assert len(counted) == 1
    models.verify(models.locate("rewriter")[0], fresh=True)
    assert len(counted) == 2


@pytest.mark.parametrize("broken", ["{", "[1]", '{"a": 1}', "\x00"])
def test_broken_checksum_store_is_rebuilt(shipped: Path, broken: str) -> None:
    (models.cache_dir() / "checksums.json").write_text(broken)
    assert models.find("rewriter").name == "small.gguf"


def test_cache_that_cannot_be_written_does_not_matter(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("POSI_HOME", str(tmp_path / "file"))
    assert models.find("rewriter").name == "small.gguf"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"models": [{"name": "a"}]}',
        '{"models": [{"name":"a","file":"../a","role":"r","bytes":1,"sha256":"%s","license":"","source":""}]}'
        % ("0" * 64),
    ],
)
def test_broken_manifest_is_one_clear_error(shipped: Path, text: str) -> None:
    (shipped / "manifest.json").write_text(text)
    with pytest.raises(ModelFileError, match=r"manifest\.json .*reinstall POSI"):
        models.find("rewriter")


def test_missing_manifest_and_unknown_role(shipped: Path) -> None:
    with pytest.raises(ModelFileError, match=r"roles there: rewriter, risk"):
        models.find("painter")
    (shipped / "manifest.json").unlink()
    with pytest.raises(ModelFileError, match="is missing"):
        models.find("rewriter")


def test_update_manifest_replaces_in_place_and_drops_what_is_gone(shipped: Path) -> None:
    (shipped / "small.gguf").write_bytes(b"new weights")
    entry = models.update_manifest(
        "rewriter", "small.gguf", license="Apache-2.0", source="trained here", folder=shipped, commit="abc"
    )
    assert entry.bytes == 11
    (shipped / "risk.onnx").unlink()
    models.update_manifest("encoder", "risk-tokenizer.json", license="MIT", source="x", folder=shipped)
    data = json.loads((shipped / "manifest.json").read_text())
    assert [(item["role"], item["file"]) for item in data["models"]] == [
        ("rewriter", "small.gguf"),
        ("encoder", "risk-tokenizer.json"),
    ]
    assert data["models"][0]["commit"] == "abc"
    assert models.load_manifest(shipped).entries[0] == entry
    with pytest.raises(ModelFileError, match="is no file below"):
        models.update_manifest("rewriter", "../outside", license="", source="", folder=shipped)


def test_pull_restores_a_missing_file(shipped: Path, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (shipped / "small.gguf").rename(mirror / "small.gguf")
    located = models.locate("rewriter")[0]
    assert located.path is None
    seen: list[tuple[int, int]] = []
    path = models.pull(
        located.entry, origin=mirror.as_uri(), progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (10000, 10000)
    assert models.find("rewriter") == path == tmp_path / "home" / "data" / "models" / "small.gguf"


@pytest.mark.parametrize("content", [b"short", b"x" * 10_000, b"x" * 900_000])
def test_pull_keeps_only_the_pinned_file(shipped: Path, tmp_path: Path, content: bytes) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "small.gguf").write_bytes(content)
    entry = models.locate("rewriter")[0].entry
    with pytest.raises(ModelFileError, match="not the pinned file"):
        models.pull(entry, origin=mirror.as_uri())
    assert not list((tmp_path / "home" / "data" / "models").iterdir())


def test_pull_without_a_usable_origin(shipped: Path) -> None:
    entry = models.locate("rewriter")[0].entry
    with pytest.raises(UsageError, match="names no download"):
        models.pull(entry)
    with pytest.raises(UsageError, match="is no origin"):
        models.pull(entry, origin="ftp://somewhere/")
    with pytest.raises(ModelFileError, match="could not be downloaded"):
        models.pull(entry, origin="file:///nowhere/at/all")
