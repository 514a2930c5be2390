"""Starts Forge with POSI (and others) as extensions and talks to the driver inside it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
DRIVER = Path(__file__).with_name("driver.py")


class Forge:
    """One running Forge. `extensions`: folder name -> checkout, beside POSI itself, whose folder is `posi_as`."""

    def __init__(
        self,
        checkout: Path,
        python: Path,
        data: Path,
        *,
        posi_as: str = "posi-safe-prompt",
        extensions: dict[str, Path] | None = None,
    ) -> None:
        folder = data / "extensions"
        folder.mkdir(parents=True)
        (folder / posi_as).symlink_to(ROOT, target_is_directory=True)
        for name, path in (extensions or {}).items():
            (folder / name).symlink_to(path, target_is_directory=True)
        (checkout / "repositories" / "stable-diffusion-webui-assets").mkdir(parents=True, exist_ok=True)
        listen, ours = os.pipe()
        answers, theirs = os.pipe()
        self._log = (data / "forge.log").open("w+")
        self._process = subprocess.Popen(
            [str(python), str(DRIVER), str(checkout), str(data), str(listen), str(theirs)],
            pass_fds=(listen, theirs),
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "POSI_HOME": str(data / "posi"), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        os.close(listen)
        os.close(theirs)
        self._commands, self._answers = os.fdopen(ours, "w"), os.fdopen(answers)
        self._read()

    def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Run a command of the driver; a fault inside Forge fails the test with its traceback."""
        print(json.dumps({"do": command, **arguments}), file=self._commands, flush=True)
        answer = self._read()
        assert "error" not in answer, answer["error"]
        return answer

    def txt2img(self, prompt: str, **payload: Any) -> dict[str, Any]:
        return self.do("post", path="/sdapi/v1/txt2img", payload={**SMALL, "prompt": prompt, **payload})

    def img2img(self, prompt: str, **payload: Any) -> dict[str, Any]:
        body = {**SMALL, "prompt": prompt, "init_images": [PIXEL], **payload}
        return self.do("post", path="/sdapi/v1/img2img", payload=body)

    def log(self) -> str:
        self._log.flush()
        return Path(self._log.name).read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        self._commands.close()
        self._process.wait(timeout=30)
        self._answers.close()
        self._log.close()

    def _read(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise AssertionError(f"Forge ended:\n{self.log()[-4000:]}")
        return json.loads(line)  # type: ignore[no-any-return]


def posi(*arguments: Any) -> dict[str, Any]:
    """`alwayson_scripts` for POSI: (enabled, strictness, on a block)."""
    return {"alwayson_scripts": {"posi": {"args": list(arguments)}}}


def everything(answer: dict[str, Any]) -> Sequence[str]:
    """Every text of a generation that the encoder, a picture or the result carries."""
    info = answer["info"]
    return [
        *answer["encoded"],
        *answer["png"],
        *answer["saved"],
        *info.get("all_prompts", []),
        *info.get("infotexts", []),
        str(info.get("prompt", "")),
        json.dumps(info.get("extra_generation_params", {})),
    ]


SMALL = {"steps": 1, "width": 64, "height": 64, "seed": 7, "sampler_name": "Euler"}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
