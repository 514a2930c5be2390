"""A real ComfyUI that runs this checkout as a custom node, and a client for it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
CHECKOUT = os.environ.get("POSI_COMFYUI", "")
PYTHON = os.environ.get("POSI_COMFYUI_PYTHON", sys.executable)
START_SECONDS = 300


@dataclass
class Comfy:
    """A running ComfyUI and a client for it."""

    base: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.base / "comfyui.log").read_text(encoding="utf-8", errors="replace")

    def start(self) -> Comfy:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        nodes = self.base / "custom_nodes"
        nodes.mkdir(parents=True, exist_ok=True)
        (self.base / "user").mkdir(exist_ok=True)
        if not (nodes / "posi").exists():
            (nodes / "posi").symlink_to(ROOT, target_is_directory=True)
        command = [PYTHON, "main.py", "--cpu", "--port", str(self.port), "--base-directory", str(self.base)]
        command += ["--database-url", f"sqlite:///{self.base / 'comfyui.db'}"]
        command += ["--disable-all-custom-nodes", "--whitelist-custom-nodes", "posi", *self.arguments]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("POSI_")}
        with (self.base / "comfyui.log").open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**clean, "POSI_HOME": str(self.base / "posi-home"), **self.environment},
            )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            assert self.process.poll() is None, f"ComfyUI ended:\n{self.log}"
            try:
                self.get("/system_stats")
                return self
            except OSError:
                time.sleep(0.5)
        raise AssertionError(f"ComfyUI does not answer after {START_SECONDS} s:\n{self.log}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return json.load(answer)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and JSON of the answer (None if it has none)."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, None

    def queue(self, graph: Mapping[str, Any], workflow: Any = None) -> str:
        """Queues a graph and gives its prompt id."""
        prompt_id = str(uuid.uuid4())
        body: dict[str, Any] = {"prompt": graph, "prompt_id": prompt_id}
        if workflow is not None:
            body["extra_data"] = {"extra_pnginfo": {"workflow": workflow}}
        status, answer = self.post("/prompt", body)
        assert status == 200, answer
        return str(answer["prompt_id"])

    def wait(self, prompt_id: str, seconds: float = 300) -> Any:
        """The entry of /history once the prompt has run."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            history = self.get(f"/history/{prompt_id}")
            if prompt_id in history:
                return history[prompt_id]
            time.sleep(0.1)
        raise AssertionError(f"The prompt did not end within {seconds} s:\n{self.log[-3000:]}")

    def run(self, graph: Mapping[str, Any], workflow: Any = None) -> Any:
        return self.wait(self.queue(graph, workflow))

    def executed(self, entry: Any) -> set[str]:
        """Ids of the nodes that ran, not counting those whose outputs were cached."""
        messages = dict(entry["status"]["messages"])
        return set(entry["prompt"][2]) - set(messages["execution_cached"]["nodes"])


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def png_texts(path: Path) -> dict[str, str]:
    """The tEXt chunks of a PNG."""
    data, at, found = path.read_bytes(), 8, {}
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"tEXt":
            key, _, value = data[at + 8 : at + 8 + size].partition(b"\0")
            found[key.decode("latin-1")] = value.decode("latin-1")
        at += size + 12
    return found


def import_seconds(log: str) -> float:
    """What ComfyUI's log says the import of POSI took."""
    match = re.search(r"([\d.]+) seconds: .*posi", log)
    assert match, log
    return float(match.group(1))
