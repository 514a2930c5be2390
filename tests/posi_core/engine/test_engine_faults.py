"""Faults that must not matter: killed workers, bad files, crashes in native code, ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from engine_requests import request
from posi.posi_core.engine import LlamaCppEngine, settings
from posi.posi_core.engine.worker_link import WORKER_FILE
from posi.posi_core.errors import DeadlineError, EngineError, ModelFileError
from tiny_gguf import write_tiny_gguf

Open = Callable[..., LlamaCppEngine]
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def ended_within(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while running(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not running(pid)


@posix
def test_a_worker_killed_in_the_middle_costs_one_request(slow: Path, open_engine: Open) -> None:
    engine = open_engine(slow)
    _ = engine.template
    pid = engine.health().pid
    assert pid is not None

    def kill(tokens: int) -> None:
        if tokens >= 2:
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(EngineError, match=r"SIGKILL in the middle of a request.*next one starts another"):
        engine.generate(request(max_tokens=500, draft=False), on_token=kill)
    assert "SIGKILL" in engine.health().last_error
    assert engine.generate(request(max_tokens=2))[0].tokens == 2
    assert engine.health().starts == 2


@posix
def test_a_worker_killed_between_requests_is_not_noticed(tiny: Path, open_engine: Open) -> None:
    engine = open_engine(tiny)
    before = engine.generate(request())[0].text
    pid = engine.health().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert ended_within(pid, 5)
    time.sleep(0.1)
    assert engine.generate(request())[0].text == before


@posix
def test_a_worker_that_hangs_is_replaced(
    slow: Path, open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posi.posi_core.engine.llama_process._OBEDIENCE", 0.3)
    engine = open_engine(slow)
    _ = engine.template
    pid = engine.health().pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(DeadlineError):
        engine.generate(request(), deadline=time.monotonic() + 0.2)
    assert engine.generate(request(max_tokens=2))[0].tokens == 2
    assert engine.health().starts == 2
    assert not running(pid)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"absent\.gguf cannot be read.*check the path"):
        LlamaCppEngine(tmp_path / "absent.gguf")
    with pytest.raises(ModelFileError, match="cannot be read"):
        LlamaCppEngine(tmp_path)


def test_no_gguf(tmp_path: Path) -> None:
    path = tmp_path / "page.gguf"
    path.write_text("<html>not found</html>")
    with pytest.raises(ModelFileError, match="no GGUF file"):
        LlamaCppEngine(path)


def test_a_file_removed_later(tmp_path: Path, open_engine: Open) -> None:
    path = write_tiny_gguf(tmp_path / "gone.gguf")
    engine = open_engine(path)
    path.unlink()
    with pytest.raises(ModelFileError, match="cannot be read"):
        engine.generate(request())


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_a_truncated_file(tiny: Path, tmp_path: Path, open_engine: Open, share: float) -> None:
    path = tmp_path / "short.gguf"
    data = tiny.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    engine = open_engine(path)
    with pytest.raises(ModelFileError, match=r"short\.gguf cannot be loaded.*truncated"):
        engine.generate(request())
    path.write_bytes(data)  # put right, it works at once
    assert engine.generate(request(max_tokens=2))[0].tokens == 2


def test_another_architecture(tmp_path: Path, open_engine: Open) -> None:
    path = write_tiny_gguf(tmp_path / "other.gguf", architecture="abacus")
    with pytest.raises(ModelFileError, match="abacus"):
        open_engine(path).generate(request())


def test_a_model_that_is_no_rewriter(tmp_path: Path, open_engine: Open) -> None:
    path = write_tiny_gguf(tmp_path / "chat.gguf", template=False)
    engine = open_engine(path)
    for _ in range(2):
        with pytest.raises(ModelFileError, match=r"posi\.template\.prefix.*posi export"):
            engine.generate(request())
    assert engine.health().pid is None


def test_a_wrong_hash(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from posi.posi_core import models
    from posi.posi_core.models import files

    entry = models.Entry(
        name="tiny",
        file="tiny.gguf",
        role="rewriter",
        bytes=tiny.stat().st_size,
        sha256="0" * 64,
        license="none",
        source="none",
    )
    monkeypatch.setattr(files, "locate", lambda role: (models.Located(entry, tiny),))
    with pytest.raises(ModelFileError, match="SHA-256"):
        models.find("rewriter")


BEFORE_SERVING = """
    from posi_engine_worker import llama

    load, decode = llama.LlamaModel.__init__, llama.LlamaModel.decode

    def loading(self, options):
        self.extra = options.extra_buffers
        load(self, options)

    def crashing(self, *arguments):
        if {when}:
            os.kill(os.getpid(), 11)
        return decode(self, *arguments)

    llama.LlamaModel.__init__, llama.LlamaModel.decode = loading, crashing
"""


def changed_worker(folder: Path, before_serving: str) -> Path:
    """The real worker with statements put in before it starts to serve."""
    path = folder / "changed_worker.py"
    source = WORKER_FILE.read_text().replace("__file__", repr(str(WORKER_FILE)))
    start = "    serve(output)"
    assert start in source
    path.write_text(source.replace(start, f"{before_serving}\n{start}"))
    return path


def crashing_worker(folder: Path, *, when: str) -> Path:
    """Its first decode kills the process by SIGSEGV when the expression `when` holds."""
    return changed_worker(folder, BEFORE_SERVING.format(when=when))


@posix
def test_a_crash_in_the_first_decode_leads_to_the_safe_setting(
    tiny: Path, tmp_path: Path, open_engine: Open
) -> None:
    worker = crashing_worker(tmp_path, when="self.extra")
    assert not settings.needs_safe_setting()
    engine = open_engine(tiny, worker_file=worker)
    assert engine.generate(request(max_tokens=2))[0].tokens == 2
    health = engine.health()
    assert health.safe_setting
    assert health.starts == 2
    # The finding is remembered for this machine: a new engine does not crash first.
    assert settings.needs_safe_setting()
    again = open_engine(tiny, worker_file=worker)
    assert again.generate(request(max_tokens=2))[0].tokens == 2
    assert again.health().starts == 1


@posix
def test_a_crash_with_the_safe_setting_too_is_an_error(tiny: Path, tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tiny, worker_file=crashing_worker(tmp_path, when="True"))
    with pytest.raises(EngineError, match="SIGSEGV while it loaded"):
        engine.generate(request())
    assert engine.health().starts == 2
    assert not settings.needs_safe_setting()


def test_noise_on_standard_output_disturbs_nothing(tiny: Path, tmp_path: Path, open_engine: Open) -> None:
    worker = changed_worker(tmp_path, "    print('noise'); os.write(1, b'more')")
    assert open_engine(tiny, worker_file=worker).generate(request(max_tokens=2))[0].tokens == 2


def test_a_python_without_llama_cpp(tiny: Path, tmp_path: Path, open_engine: Open) -> None:
    worker = changed_worker(tmp_path, "    sys.modules['llama_cpp'] = None")
    with pytest.raises(EngineError, match="llama-cpp-python cannot be imported"):
        open_engine(tiny, worker_file=worker).generate(request())


HOST = """
import sys, threading
from posi.posi_core.engine import GenerateRequest, LlamaCppEngine
engine = LlamaCppEngine(sys.argv[1], threads=1)
_ = engine.template
print(engine.health().pid, flush=True)
engine.generate(GenerateRequest("<|im_start|>", "the cat", "<|im_end|>", ("<|im_end|>",), max_tokens=1500, draft=False))
print("finished", flush=True)
"""


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_no_orphan_is_left_when_the_host_ends(slow: Path, name: str) -> None:
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, str(slow)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert host.stdout is not None
    worker = int(host.stdout.readline())
    time.sleep(0.3)  # in the middle of the request
    assert running(worker)
    host.send_signal(getattr(signal, name))
    assert host.wait(timeout=20) != 0
    assert ended_within(worker, 5)
    assert "finished" not in host.stdout.read()
    host.stdout.close()


@posix
def test_ctrl_c_in_a_terminal_does_not_reach_the_worker_first(slow: Path, open_engine: Open) -> None:
    engine = open_engine(slow)
    _ = engine.template
    pid = engine.health().pid
    assert pid is not None
    assert os.getsid(pid) != os.getsid(0)


def test_closing_ends_the_request_that_runs(slow: Path, open_engine: Open) -> None:
    engine = open_engine(slow)
    _ = engine.template
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            engine.generate(request(max_tokens=1500, draft=False))
        except EngineError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.2)
    engine.close()
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert len(errors) == 1


def test_the_package_may_have_any_name(tiny: Path, tmp_path: Path) -> None:
    """As in ComfyUI: the repository's folder inside another package, under its own name."""
    root = Path(__file__).resolve().parents[3]
    nodes = tmp_path / "custom_nodes"
    nodes.mkdir()
    (nodes / "__init__.py").write_text("")
    (nodes / "ComfyUI_posi").symlink_to(root, target_is_directory=True)
    script = (
        "import importlib, sys\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "engine = importlib.import_module('custom_nodes.ComfyUI_posi.posi_core.engine')\n"
        f"one = engine.LlamaCppEngine({str(tiny)!r}, threads=1)\n"
        "ask = engine.GenerateRequest('<|im_start|>', 'the cat', '<|im_end|>', ('<|im_end|>',), max_tokens=2)\n"
        "print(one.generate(ask)[0].tokens)\n"
        "assert not any(name == 'posi' or name.startswith('posi.') for name in sys.modules)\n"
        "one.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "2", done.stderr
