"""API routes, X/Y/Z axis, tab and scripts folder, as the host finds them."""

from __future__ import annotations

import importlib
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from fake_webui import Host, Processing, load_script
from fastapi import FastAPI
from fastapi.testclient import TestClient
from posi.posi_core.errors import ScorerError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def client(host: Host) -> TestClient:
    app = FastAPI()
    for mount in host.callbacks.registered["app_started"][:1]:
        mount(None, app)
    return TestClient(app)


def test_rewrite_route(client: TestClient) -> None:
    answer = client.post("/posi/v1/rewrite", json={"text": "a bloody knight", "negative": "blurry"})
    assert answer.status_code == 200
    verdict = answer.json()["verdicts"][0]
    assert verdict["action"] == "rewrite"
    assert verdict["text"] == "a shining knight"
    assert verdict["negative"] == "blurry"


def test_routes_read_the_hosts_syntax_by_default(client: TestClient) -> None:
    answer = client.post("/posi/v1/rewrite", json={"text": "a (bloody:1.3) knight <lora:armor:0.8>"})
    assert answer.json()["verdicts"][0]["text"] == "a (shining:1.3) knight <lora:armor:0.8>"


def test_check_route(client: TestClient) -> None:
    body = client.post("/posi/v1/check", json={"prompts": ["a bloody knight", "a lake"]}).json()
    assert [result["flagged"] for result in body["results"]] == [True, False]
    assert body["results"][0]["risk"]["words"][0]["word"] == "bloody"


def test_status_route(client: TestClient) -> None:
    body = client.get("/posi/v1/status").json()
    assert body["policies"] == ["relaxed", "standard", "strict"]


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ({}, 400),
        ({"text": "a", "prompts": ["b"]}, 400),
        ({"text": 7}, 422),
        ({"text": "a", "policy": "lax"}, 400),
        ({"text": "a", "policy": "/etc/passwd"}, 400),
        ({"text": "a", "syntax": "c++"}, 400),
        ({"text": "a" * 20_001}, 400),
        ({"prompts": ["a"] * 65}, 400),
    ],
)
def test_bad_requests_get_a_reason(client: TestClient, payload: dict[str, Any], status: int) -> None:
    answer = client.post("/posi/v1/rewrite", json=payload)
    assert answer.status_code == status
    assert answer.json()


def test_failure_is_a_block_with_a_reason(client: TestClient, parts: types.SimpleNamespace) -> None:
    parts.scorer.error = ScorerError("The scorer is gone.")
    verdict = client.post("/posi/v1/rewrite", json={"text": "a bloody knight"}).json()["verdicts"][0]
    assert verdict["action"] == "block"
    assert verdict["text"] == ""
    assert "The scorer is gone." in verdict["reason"]


def test_openapi_describes_the_routes(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/posi/v1/rewrite", "/posi/v1/check", "/posi/v1/status"} <= set(paths)
    assert paths["/posi/v1/rewrite"]["post"]["summary"] == "Rewrite risky prompts"


def test_hosts_api_auth_guards_the_routes(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.shared.cmd_opts, "api_auth", "anna:secret,otto:word")
    app = FastAPI()
    host.callbacks.registered["app_started"][0](None, app)
    client = TestClient(app)
    assert client.get("/posi/v1/status").status_code == 401
    assert client.get("/posi/v1/status", auth=("anna", "wrong")).status_code == 401
    assert client.get("/posi/v1/status", auth=("otto", "word")).status_code == 200


class AxisOption:
    def __init__(self, label: str, kind: type, apply: Any, **more: Any) -> None:
        self.label, self.kind, self.apply, self.more = label, kind, apply, more


@pytest.fixture
def axis(host: Host) -> Any:
    """POSI's axis, registered twice into an X/Y/Z script."""
    grid = types.SimpleNamespace(axis_options=[], AxisOption=AxisOption)
    script_class = type("Script", (), {"__module__": "xyz_grid.py"})
    host.scripts.scripts_data[:] = [types.SimpleNamespace(script_class=script_class, module=grid)]
    for _ in range(2):
        for register in host.callbacks.registered["before_ui"]:
            register()
    assert len(grid.axis_options) == 1
    return grid.axis_options[0]


def test_axis_sets_the_strictness(host: Host, axis: Any) -> None:
    assert axis.more["choices"]() == ["relaxed", "standard", "strict"]
    p = Processing("a bloody knight")
    axis.apply(p, "strict", ["relaxed", "strict"])
    assert "POSI policy: strict" in host.run(p, args=(True, "relaxed")).infotexts[0]


def test_axis_refuses_unknown_values_before_the_plot_starts(axis: Any) -> None:
    axis.more["confirm"](None, ["strict"])
    with pytest.raises(Exception, match="lax"):
        axis.more["confirm"](None, ["strict", "lax"])


def test_a_host_without_the_plot_script(host: Host) -> None:
    host.scripts.scripts_data[:] = []
    for register in host.callbacks.registered["before_ui"]:
        register()


def test_tab_is_built(host: Host) -> None:
    (build,) = host.callbacks.registered["ui_tabs"][:1]
    blocks, title, element = build()[0]
    assert (title, element) == ("POSI", "posi_tab")
    assert len(blocks.blocks) > 30


def test_script_file_defines_one_script_and_registers_each_time(host: Host) -> None:
    before = len(host.callbacks.registered["app_started"])
    module = load_script()
    assert len(host.callbacks.registered["app_started"]) == before + 1
    scripts = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, host.scripts.Script)
    ]
    assert [script.__name__ for script in scripts] == ["PosiScript"]
    assert scripts[0]().title().lower() == "posi"
    assert scripts[0]().show(False) is host.scripts.AlwaysVisible


def test_reloading_the_hosts_page_frees_the_model(host: Host, parts: types.SimpleNamespace) -> None:
    host.run(Processing("a bloody knight"))
    host.callbacks.registered["script_unloaded"][0]()
    assert parts.engine.unloads == 1


def installer() -> Any:
    spec = importlib.util.spec_from_file_location("posi_install", ROOT / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_installer_reads_what_the_package_asks_for() -> None:
    names = [requirement.split(">")[0] for requirement in installer().wanted()]
    assert {"llama-cpp-python", "onnxruntime", "tokenizers", "numpy"} <= set(names)


def test_installer_pins_the_host_and_goes_on_after_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = installer()
    calls: list[tuple[list[str], str]] = []

    def run(command: list[str], **_: Any) -> Any:
        calls.append((command, Path(command[command.index("-c") + 1]).read_text(encoding="utf-8")))
        return types.SimpleNamespace(returncode=1)

    monkeypatch.setattr(module, "missing", lambda: ["onnxruntime>=1.17"])
    monkeypatch.setattr(module.subprocess, "run", run)
    module.main()
    assert len(calls) == 2
    assert "--only-binary" in calls[0][0]
    assert all("pytest==" in pins for _, pins in calls)
    assert "--upgrade" not in calls[0][0] + calls[1][0]
    assert "could not install onnxruntime" in capsys.readouterr().out


def test_installer_never_fails_the_start() -> None:
    code = (
        "import runpy, importlib.util\n"
        "def broken(*_): raise OSError('disk')\n"
        "importlib.util.find_spec = broken\n"
        f"runpy.run_path({str(ROOT / 'install.py')!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "installing failed" in done.stdout
