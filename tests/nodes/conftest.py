"""Stand-ins for the parts of ComfyUI that the nodes touch. They record what they are given; nothing more."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeEncoder, FakeEngine, FakeScorer
from posi.posi_core import service as service_module
from posi.posi_core.safe_prompt import Parts
from posi.posi_core.service import Service


class Socket:
    """An input or an output as a node declared it."""

    def __init__(self, io_type: str, id: str, **options: Any) -> None:
        self.io_type = io_type
        self.id = id
        self.options = options


class SocketType:
    def __init__(self, io_type: str) -> None:
        self.io_type = io_type

    def Input(self, id: str, **options: Any) -> Socket:
        return Socket(self.io_type, id, **options)

    def Output(self, id: str, **options: Any) -> Socket:
        return Socket(self.io_type, id, **options)


class Schema:
    def __init__(self, **fields: Any) -> None:
        self.__dict__.update({"hidden": [], "is_output_node": False, **fields})


class NodeOutput:
    def __init__(self, *args: Any, ui: Any = None, expand: Any = None, block_execution: Any = None) -> None:
        self.args, self.ui, self.expand, self.block_execution = args, ui, expand, block_execution


class Hidden:
    unique_id, dynprompt, prompt, extra_pnginfo = "UNIQUE_ID", "DYNPROMPT", "PROMPT", "EXTRA_PNGINFO"


class ComfyNode:
    """The real one is cloned and locked for each run; `hidden` is set on the clone."""

    hidden = types.SimpleNamespace(unique_id=None, dynprompt=None)


class Interrupted(Exception):
    """Stands for InterruptProcessingException."""


class Blocker:
    def __init__(self, message: str) -> None:
        self.message = message


class DynamicPrompt:
    def __init__(self, original_prompt: dict[str, Any]) -> None:
        self.original_prompt = original_prompt

    def get_original_prompt(self) -> dict[str, Any]:
        return self.original_prompt


@dataclass
class Host:
    """What a test sets and reads: the state behind the stand-ins."""

    folder: Path
    interrupted: bool = False
    bars: list[list[int]] = field(default_factory=list)
    room: list[int] = field(default_factory=list)
    unloads: int = 0
    device: str = "cpu"
    ggufs: dict[str, Path] = field(default_factory=dict)
    llm_folders: list[str] = field(default_factory=list)
    multi_user: bool = False
    classes: dict[str, Any] = field(default_factory=dict)
    Interrupted: type[Exception] = Interrupted

    def settings(self, text: str) -> None:
        path = self.folder / "user" / "default" / "comfy.settings.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


HOST = Host(Path())


class ProgressBar:
    def __init__(self, total: int) -> None:
        assert total == 100
        self.values: list[int] = []
        HOST.bars.append(self.values)

    def update_absolute(self, value: int) -> None:
        # ComfyUI's own hook on every bar: it raises, and by that forgets that it was asked to stop.
        if HOST.interrupted:
            HOST.interrupted = False
            raise Interrupted
        self.values.append(value)


def _throw_if_interrupted() -> None:
    if HOST.interrupted:
        raise Interrupted


def _unload_all_models() -> None:
    HOST.unloads += 1


def _full_path(_folder: str, name: str) -> str:
    return str(HOST.ggufs[name])


def _modules() -> dict[str, types.ModuleType]:
    io = types.SimpleNamespace(
        ComfyNode=ComfyNode,
        Schema=Schema,
        NodeOutput=NodeOutput,
        Hidden=Hidden,
        Custom=SocketType,
        String=SocketType("STRING"),
        Combo=SocketType("COMBO"),
        Float=SocketType("FLOAT"),
        Int=SocketType("INT"),
        Boolean=SocketType("BOOLEAN"),
        Clip=SocketType("CLIP"),
        Conditioning=SocketType("CONDITIONING"),
    )
    contents: dict[str, dict[str, Any]] = {
        "comfy_api": {},
        "comfy_api.latest": {"io": io, "ComfyExtension": type("ComfyExtension", (), {})},
        "comfy": {},
        "comfy.cli_args": {"args": types.SimpleNamespace(multi_user=False, disable_metadata=False)},
        "comfy.utils": {"ProgressBar": ProgressBar},
        "comfy.model_management": {
            "InterruptProcessingException": Interrupted,
            "interrupt_current_processing": lambda value=True: setattr(HOST, "interrupted", value),
            "processing_interrupted": lambda: HOST.interrupted,
            "throw_exception_if_processing_interrupted": _throw_if_interrupted,
            "free_memory": lambda size, _device: HOST.room.append(size),
            "get_torch_device": lambda: types.SimpleNamespace(type=HOST.device),
            "unload_all_models": _unload_all_models,
        },
        "comfy_execution": {},
        "comfy_execution.graph": {"DynamicPrompt": DynamicPrompt},
        "comfy_execution.graph_utils": {"ExecutionBlocker": Blocker},
        "folder_paths": {
            "models_dir": "models",
            "get_user_directory": lambda: str(HOST.folder / "user"),
            "add_model_folder_path": lambda name, path: HOST.llm_folders.append(f"{name}:{path}"),
            "get_filename_list": lambda _name: list(HOST.ggufs),
            "get_full_path_or_raise": _full_path,
        },
        "nodes": {"NODE_CLASS_MAPPINGS": HOST.classes},
    }
    made = {}
    for name, attributes in contents.items():
        made[name] = types.ModuleType(name)
        made[name].__dict__.update(attributes)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(made[parent], child, made[name])
    return made


# The nodes import ComfyUI at their own import, so this must come before a test module imports them.
sys.modules.update(_modules())


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A ComfyUI in its initial state, with no POSI variable set."""
    for name in (
        "POSI_ENFORCE",
        "POSI_ENFORCE_POLICY",
        "POSI_REDACT_METADATA",
        "POSI_API_KEY",
        "POSI_ENDPOINT",
    ):
        monkeypatch.delenv(name, raising=False)
    classes = HOST.classes
    classes.clear()
    HOST.__init__(tmp_path, classes=classes)  # type: ignore[misc]
    from posi.nodes import redaction, settings

    redaction._replacements.clear()
    settings._last_page.clear()
    return HOST


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def scorer() -> FakeScorer:
    return FakeScorer()


@pytest.fixture
def service(
    host: Host, engine: FakeEngine, scorer: FakeScorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    """The process-wide service, on fakes."""
    made = Service(Parts(engine=engine, scorer=scorer, encoder=FakeEncoder()), cache=tmp_path / "cache")
    monkeypatch.setattr(service_module, "_service", made)
    yield made
    made.close()
