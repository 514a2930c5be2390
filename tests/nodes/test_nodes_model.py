"""POSI Model: files, servers, and the key that must not leave for a stranger's server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from posi.nodes import host as host_module
from posi.nodes.model import SHIPPED_NAME, ModelNode, check_endpoint
from posi.posi_core.errors import UsageError
from posi.posi_core.safe_prompt import ModelChoice


def choose(**changes: Any) -> ModelChoice:
    inputs: dict[str, Any] = {
        "model": SHIPPED_NAME,
        "gpu_layers": 0,
        "threads": 0,
        "keep_loaded": 300,
        "endpoint": "",
        "endpoint_model": "",
    }
    choice: ModelChoice = ModelNode.execute(**{**inputs, **changes}).args[0]
    return choice


@pytest.fixture
def gguf(host: Any, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"GGUF")
    host.ggufs = {"tiny.gguf": path, "readme.txt": tmp_path / "readme.txt"}
    return path


def test_defaults_are_the_shipped_model(host: Any) -> None:
    assert choose() == ModelChoice(gpu_layers=0, idle_unload_seconds=300)


def test_only_gguf_files_are_offered(gguf: Path) -> None:
    options = ModelNode.define_schema().inputs[0].options["options"]
    assert options == [SHIPPED_NAME, "tiny.gguf"]
    assert choose(model="tiny.gguf", threads=3, gpu_layers=-1).path == gguf


@pytest.mark.parametrize("name", ["../secret.gguf", "readme.txt", "/etc/passwd"])
def test_a_name_that_is_not_listed_opens_nothing(gguf: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        choose(model=name)


def test_a_replaced_file_changes_the_fingerprint(gguf: Path) -> None:
    before = ModelNode.fingerprint_inputs(model="tiny.gguf")
    gguf.write_bytes(b"GGUF and more")
    assert ModelNode.fingerprint_inputs(model="tiny.gguf") != before


@pytest.mark.parametrize("endpoint", ["file:///etc/passwd", "ftp://host/x", "nonsense", "http://"])
def test_an_endpoint_is_a_web_address(host: Any, endpoint: str) -> None:
    with pytest.raises(UsageError, match="http"):
        choose(endpoint=endpoint)


def test_the_key_goes_to_the_named_server_only(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    check_endpoint("http://stranger.example/v1")
    monkeypatch.setenv("POSI_API_KEY", "secret")
    with pytest.raises(UsageError, match="POSI_ENDPOINT"):
        check_endpoint("http://stranger.example/v1")
    monkeypatch.setenv("POSI_ENDPOINT", "https://api.example/v1")
    check_endpoint("https://api.example/other")
    with pytest.raises(UsageError):
        check_endpoint("http://api.example/v1")
    with pytest.raises(UsageError):
        check_endpoint("https://api.example@stranger.example/v1")


def test_the_llm_folder_is_added_not_replaced(host: Any) -> None:
    host_module.share_llm_folder()
    assert [entry.split(":")[0] for entry in host.llm_folders] == ["LLM"]
