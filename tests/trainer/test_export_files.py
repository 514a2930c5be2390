"""Rounding onto the Q4_0 grid, row order, and files that are whole or not there."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from posi.posi_core.engine.settings import default_threads
from posi.posi_core.errors import ModelFileError
from posi.trainer.export import greedy
from posi.trainer.export.atomic import replacing, scratch_folder
from posi.trainer.export.gguf_file import open_gguf, posi_metadata, read_template, write_gguf
from posi.trainer.export.layout import rotary_rows
from posi.trainer.export.quantize import TYPES, quantize
from posi.trainer.export.rounding import round_to_q4_0
from posi.trainer.template import Template
from q4_0_grid import plain_q4_0
from tiny_llama import write_tiny_llama


def moments(inputs: torch.Tensor) -> torch.Tensor:
    return inputs.T @ inputs


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([32, 64, 160]), st.sampled_from([1e-3, 1.0, 30.0]))
def test_llama_cpp_finds_the_same_codes_again(seed: int, width: int, size: float) -> None:
    torch.manual_seed(seed)
    weight = torch.randn(7, width) * size
    weight[0] = 0  # a block of zeros
    weight[1, :32] = 0.5 * size  # a block without a largest weight
    rounded = round_to_q4_0(weight, moments(torch.randn(50, width))).rounded()
    assert torch.equal(plain_q4_0(rounded), rounded)


def test_rounding_keeps_the_layers_output_closer_than_plain_rounding() -> None:
    torch.manual_seed(0)
    mixing = torch.randn(128, 128) * torch.logspace(0, -2, 128)
    inputs = torch.randn(600, 128) @ mixing  # correlated, as activations are
    weight = torch.randn(64, 128)

    def error(rounded: torch.Tensor) -> float:
        return float(((inputs @ (weight - rounded).T) ** 2).mean())

    assert error(round_to_q4_0(weight, moments(inputs)).rounded()) < 0.5 * error(plain_q4_0(weight))


def test_rotary_rows_pair_neighbours() -> None:
    rows = np.arange(8, dtype=np.float32)[:, None]  # two heads of four rows
    assert rotary_rows(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_tensors_must_be_those_of_the_skeleton(tmp_path: Path) -> None:
    base = write_tiny_llama(tmp_path / "tiny.gguf")
    tensors = {tensor.name: np.array(tensor.data) for tensor in open_gguf(base).tensors}
    metadata = posi_metadata(Template(), "abc")
    write_gguf(base, tensors, metadata, tmp_path / "copy.gguf")
    assert read_template(tmp_path / "copy.gguf") == Template()
    with pytest.raises(ModelFileError, match="has no posi"):
        read_template(base)
    del tensors["blk.1.attn_q.weight"]
    with pytest.raises(ModelFileError, match=r"blk\.1\.attn_q"):
        write_gguf(base, tensors, metadata, tmp_path / "less.gguf")


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "other"])
def test_unusable_gguf_files_are_named(tmp_path: Path, damage: str) -> None:
    path = write_tiny_llama(tmp_path / "model.gguf")
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "cut": data[:900], "other": b"PK" + data[2:]}[damage])
    with pytest.raises(ModelFileError, match=r"model\.gguf"):
        open_gguf(path)


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow past 20 kB, as on a disk that fills up; pytest's own output may, so not for a whole test."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_tiny_llama(tmp_path / "source.gguf")


def test_a_full_disk_leaves_the_old_file(source: Path) -> None:
    out = source.with_name("model.gguf")
    out.write_bytes(b"the old model")
    with full_disk(), pytest.raises(ModelFileError, match="disk full"), replacing(out) as part:
        quantize(source, part, TYPES["q8_0"], threads=1)
    with full_disk(), pytest.raises(ModelFileError, match="the old file is intact"), replacing(out) as part:
        part.write_bytes(b"x" * 30_000)
    assert out.read_bytes() == b"the old model"
    assert sorted(path.name for path in source.parent.iterdir()) == ["model.gguf", "source.gguf"]


KILLED = """
import sys, time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from posi.trainer.export import greedy
from posi.trainer.export.atomic import replacing, scratch_folder
out = Path(sys.argv[1])
with scratch_folder(out) as folder, replacing(out) as part:
    (folder / "unquantised.gguf").write_bytes(b"half")
    part.write_bytes(b"half a model")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_a_killed_export_leaves_the_old_file_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    out = tmp_path / "model.gguf"
    out.write_bytes(b"the old model")
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(out)], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "writing\n"
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    child.stdout.close()
    assert out.read_bytes() == b"the old model"
    assert len(list(tmp_path.iterdir())) == 3
    with scratch_folder(out) as folder, replacing(out) as part:
        assert list(folder.iterdir()) == []
        part.write_bytes(b"the new model")
    assert out.read_bytes() == b"the new model"
    assert list(tmp_path.iterdir()) == [out]


def test_an_interrupted_export_leaves_no_litter(tmp_path: Path) -> None:
    def interrupted() -> None:
        with scratch_folder(tmp_path / "model.gguf"), replacing(tmp_path / "model.gguf") as part:
            part.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_greedy_answers_are_made_without_repacked_weights_and_on_all_cores(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import llama_cpp

    asked: dict[str, object] = {}

    def stop(*_: object, **options: object) -> None:
        asked.update(options)
        raise ValueError(f"repacked: {defaults.llama_model_default_params().use_extra_bufts}")

    defaults = llama_cpp.llama_cpp
    monkeypatch.setattr(llama_cpp, "Llama", stop)
    monkeypatch.setattr(greedy, "read_template", lambda path: Template())
    with pytest.raises(ModelFileError, match="repacked: False"):
        greedy.greedy_llama_cpp(source, ["a dog"])
    assert asked["n_threads"] == asked["n_threads_batch"] == default_threads()
    with pytest.raises(ModelFileError):
        greedy.greedy_llama_cpp(source, ["a dog"], threads=7)
    assert asked["n_threads"] == 7
    assert defaults.llama_model_default_params().use_extra_bufts
