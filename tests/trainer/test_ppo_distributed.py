"""PPO on two CPU processes under `accelerate launch`: each does half of the work, and they stay one policy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

from tiny_lm import save_tiny_base


def test_two_processes_train_one_policy(tmp_path: Path) -> None:
    base = save_tiny_base(tmp_path / "base")
    folder = tmp_path / "run"
    folder.mkdir()
    # `--cpu` would need mpirun; `--multi_gpu` starts torchrun, and the script asks for the CPU itself.
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    command += [
        "--num_machines",
        "1",
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        "--main_process_port",
        "0",
    ]
    command += [str(Path(__file__).with_name("launch_ppo.py")), str(base), str(folder)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (json.loads((folder / f"process-{i}.json").read_text()) for i in range(2))
    assert first["processes"] == second["processes"] == 2
    assert first["weights"] == pytest.approx(second["weights"])
    assert first["kl_weight"] == pytest.approx(second["kl_weight"])
    # Two of four prompts a step each; the main process also validates two prompts, at the start and at the end.
    assert len(second["seen"]) == 3 * 2
    assert len(first["seen"]) == 3 * 2 + 2 * 2
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert list((folder / "checkpoints").glob("step-000003"))
