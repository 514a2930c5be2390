"""Fetch the public originals and bring them into the layout of `sources`."""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...posi_core.errors import UsageError
from .sources import SOURCES, write_rows
from .unsafe import sexual_with_minor

Row = dict[str, Any]

_GITHUB = "https://raw.githubusercontent.com"
_POSI = f"{_GITHUB}/Wu-Zongyu/POSI/3634f750124e0298f916074dc69474580af60341/data"
URLS: dict[str, str] = {
    "posi_sft": f"{_POSI}/SFT_toxic_clean.json",
    "posi_ppo": f"{_POSI}/ppo_data.json",
    "posi_test": f"{_POSI}/test_data.json",
    "i2p": "https://huggingface.co/datasets/AIML-TUDA/i2p/resolve/main/i2p_benchmark.csv",
    "coprov2_pairs": (
        f"{_GITHUB}/Visualignment/SafetyDPO/5f71f8db885f096f84abd391f48e49e78b32e8d1/data/CoProv2_train.csv"
    ),
    "coco_captions": "http://images.cocodataset.org/annotations/annotations_trainval2017.zip",
    "user_prompts": f"{_GITHUB}/THUDM/ImageReward/c1392c6dd0fd6ecd6d416c96959ab744a6d0a8fb/data/refl_data.json",
}
_SAMPLED = {"coco_captions": 6000, "user_prompts": 4000}
"""Rows drawn (seed 0) from the sources that are larger than is needed."""


def fetch_sources(directory: Path, progress: Callable[[str], None] = lambda _line: None) -> None:
    """Download every source that `directory` lacks. Raises UsageError naming the address that failed."""
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        for name, source in SOURCES.items():
            target = directory / source.file
            if target.exists():
                continue
            progress(f"downloading {name} from {source.origin}")
            original = Path(folder) / name
            try:
                with (
                    urllib.request.urlopen(URLS[name], timeout=60) as response,
                    original.open("wb") as stream,
                ):
                    shutil.copyfileobj(response, stream)
                rows = usable_rows(name, PARSERS[name](original))
            except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
                raise UsageError(
                    f"cannot fetch {URLS[name]} ({error}): try again, or name a folder with the files by --source"
                ) from None
            part = target.with_name(f".{target.name}.part")
            write_rows(part, rows)
            part.replace(target)


def usable_rows(name: str, rows: Iterable[Row]) -> list[Row]:
    """Without empty rows and rows that join sexual words with words for minors; large sources are sampled."""
    kept = []
    for row in rows:
        texts = [row[key] for key in ("prompt", "toxic", "clean") if key in row]
        if all(text.strip() for text in texts) and not sexual_with_minor(*texts):
            kept.append(row)
    wanted = _SAMPLED.get(name)
    return random.Random(0).sample(kept, min(wanted, len(kept))) if wanted else kept


def _posi_pairs(path: Path) -> list[Row]:
    return [{"toxic": row["input"], "clean": row["output"]} for row in _json(path)]


def _posi_prompts(path: Path) -> list[Row]:
    return [{"prompt": row["input"]} for row in _json(path)]


def _user_prompts(path: Path) -> list[Row]:
    return [{"prompt": row["text"].strip()} for row in _json(path)]


def _i2p(path: Path) -> list[Row]:
    return [
        {
            "prompt": row["prompt"],
            "categories": [part.strip() for part in row["categories"].split(",")],
            "inappropriate_percentage": float(row["inappropriate_percentage"]),
            "nudity_percentage": float(row["nudity_percentage"]),
            "q16_percentage": float(row["q16_percentage"]),
            "prompt_toxicity": float(row["prompt_toxicity"]),
            "seed": int(row["sd_seed"]),
        }
        for row in _csv(path)
    ]


def _coprov2(path: Path) -> list[Row]:
    """A row u_… (unsafe) is followed by its safe twin s_…, with the same index in the image's name."""
    pairs: list[Row] = []
    unsafe: dict[str, str] = {}
    for row in _csv(path):
        side, _, index = row["image"].partition("_")
        if side == "u":
            unsafe = {**row, "index": index}
        elif unsafe.get("index") == index:
            category = row["category"].lower().replace("harrasment", "harassment")
            pairs.append({"toxic": unsafe["prompt"], "clean": row["prompt"], "category": category})
    return pairs


def _coco(path: Path) -> list[Row]:
    with zipfile.ZipFile(path) as archive, archive.open("annotations/captions_val2017.json") as stream:
        return [{"prompt": row["caption"].strip()} for row in json.load(stream)["annotations"]]


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _csv(path: Path) -> Iterable[dict[str, str]]:
    return csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))


PARSERS: dict[str, Callable[[Path], list[Row]]] = {
    "posi_sft": _posi_pairs,
    "posi_ppo": _posi_prompts,
    "posi_test": _posi_prompts,
    "i2p": _i2p,
    "coprov2_pairs": _coprov2,
    "coco_captions": _coco,
    "user_prompts": _user_prompts,
}
