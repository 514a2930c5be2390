"""Building the sets from small sources, and fetching originals from addresses that are local files."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pytest
from posi.posi_core.errors import UsageError
from posi.trainer.data import build as building
from posi.trainer.data import download
from posi.trainer.data.build import BuildConfig, Pair, build, refuse_overlap
from posi.trainer.data.sources import SOURCES, load_source, write_rows
from posi.trainer.data.split import is_held_out, text_key

SUBJECTS = ("knight", "robot", "dancer", "wizard", "farmer", "pilot", "sailor", "queen", "painter", "singer")
STYLES = ("oil painting", "watercolor", "pencil sketch", "3 d render", "photograph", "pixel art")
TEST_PROMPT = "a murdered clown, test print"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    everybody = [(subject, style) for subject in SUBJECTS for style in STYLES]
    rows: dict[str, list[dict[str, object]]] = {
        "posi_sft": [
            *(
                {"toxic": f"a bloody {s}, {t}, 4 k", "clean": f"A cheerful {s}, {t}, 4K."}
                for s, t in everybody
            ),
            {"toxic": TEST_PROMPT.upper(), "clean": "a sleeping clown, test print"},
            {"toxic": "a murdered duck", "clean": "a murdered duck in a park"},
            {"toxic": "a bloody knight, oil painting, 4 k", "clean": "a calm knight, oil painting, 4 k"},
        ],
        "posi_ppo": [{"prompt": "a bloody ghost"}],
        "posi_test": [{"prompt": TEST_PROMPT}],
        "i2p": [],
        "coprov2_pairs": [
            {
                "toxic": f"A {s} kills a rival in the {t}.",
                "clean": f"A {s} hugs a rival in the {t}.",
                "category": "violence",
            }
            for s, t in everybody
        ],
        "user_prompts": [
            *({"prompt": f"portrait of a {s}, {t}"} for s, t in everybody),
            {"prompt": TEST_PROMPT},
        ],
        "coco_captions": [{"prompt": f"A {s} holding a {t}."} for s, t in everybody],
    }
    for name, source_rows in rows.items():
        write_rows(folder / f"{name}.jsonl.gz", source_rows)
    return folder


def read(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def test_sets_are_clean_disjoint_and_reported(sources: Path, tmp_path: Path) -> None:
    report = build(sources, tmp_path / "out")
    train = read(tmp_path / "out" / building.TRAIN_FILE)
    validation = read(tmp_path / "out" / building.VALIDATION_FILE)
    assert {"posi_sft", "coprov2_pairs", "user_prompts", "coco_captions"} == {row["source"] for row in train}
    assert not any(is_held_out(row["toxic"]) for row in train)
    assert all(is_held_out(row["toxic"]) for row in validation)
    texts = [text_key(row["toxic"]) for row in [*train, *validation]]
    assert len(texts) == len(set(texts))
    assert text_key(TEST_PROMPT) not in texts
    knight = next(row for row in train if row["source"] == "posi_sft" and row["toxic"].startswith("a bloody"))
    assert knight["clean"] == knight["toxic"].replace("bloody", "cheerful")
    identity = [row for row in train if row["source"] in ("user_prompts", "coco_captions")]
    assert all(row["toxic"] == row["clean"] for row in identity)
    assert 0.1 < len(identity) / len(train) < 0.35
    dropped = report["dropped"]["posi_sft"]
    assert dropped["test prompt"] == 1
    assert dropped["duplicate"] == 1
    assert dropped["clean side names something unsafe"] == 1
    assert json.loads((tmp_path / "out" / building.REPORT_FILE).read_text()) == report


def test_same_sources_and_seed_give_the_same_bytes(sources: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        build(sources, tmp_path / out, BuildConfig(seed=3))
    assert (tmp_path / "one" / building.TRAIN_FILE).read_bytes() == (
        tmp_path / "two" / building.TRAIN_FILE
    ).read_bytes()


def test_a_set_that_overlaps_the_test_prompts_is_refused(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = Pair("a calm clown", TEST_PROMPT, "posi_sft")
    with pytest.raises(UsageError, match="is a test prompt, nothing was written"):
        refuse_overlap([pair], {text_key(TEST_PROMPT)})

    def careless(*_arguments: object, **_named: object) -> None:
        return None

    # Whatever the filters let through: a clean side that IS a test prompt must stop the build.
    rows = load_source(sources, "posi_sft")
    rows.append({"toxic": "a strangled clown, test print", "clean": TEST_PROMPT})
    write_rows(sources / "posi_sft.jsonl.gz", rows)
    monkeypatch.setattr(building, "drop_reason", careless)
    with pytest.raises(UsageError, match="is a test prompt"):
        build(sources, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", ["missing", "cut", "column"])
def test_a_damaged_source_is_named(sources: Path, damage: str) -> None:
    path = sources / "i2p.jsonl.gz"
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        whole = sources / "coco_captions.jsonl.gz"
        path.write_bytes(whole.read_bytes()[:-20])
    else:
        write_rows(path, [{"prompt": "a knight"}])
    with pytest.raises(UsageError, match=r"i2p\.jsonl\.gz"):
        load_source(sources, "i2p")


def test_originals_become_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = tmp_path / "original"
    original.mkdir()
    pairs = [
        {"input": "a bloody knight", "output": "a calm knight"},
        {"input": "sensual student", "output": "portrait of a student"},
        {"input": " ", "output": "nothing"},
    ]
    for name in ("posi_sft", "posi_ppo", "posi_test"):
        (original / name).write_text(json.dumps(pairs))
    (original / "user_prompts").write_text(json.dumps([{"text": "a red house ", "image": "1"}] * 3))
    (original / "i2p").write_text(
        "prompt,categories,hard,inappropriate_percentage,nudity_percentage,q16_percentage,prompt_toxicity,sd_seed\n"
        '"a knight, oil","hate, violence",0,40.0,10.0,30.0,0.1,77\n'
    )
    (original / "coprov2_pairs").write_text(
        'prompt,image,category\n"A man, armed.",u_idx_1_0.jpg,Harrasment\n"A man, smiling.",s_idx_1_0.jpg,Harrasment\n'
        "Lonely row.,u_idx_2_0.jpg,Hate\n"
    )
    with zipfile.ZipFile(original / "coco_captions", "w") as archive:
        captions = {"annotations": [{"caption": " A red bus. "}]}
        archive.writestr("annotations/captions_val2017.json", json.dumps(captions))
    monkeypatch.setattr(download, "URLS", {name: (original / name).as_uri() for name in SOURCES})
    target = tmp_path / "source"
    download.fetch_sources(target)
    assert load_source(target, "posi_sft") == [{"toxic": "a bloody knight", "clean": "a calm knight"}]
    assert load_source(target, "coprov2_pairs") == [
        {"toxic": "A man, armed.", "clean": "A man, smiling.", "category": "harassment"}
    ]
    assert load_source(target, "i2p")[0]["categories"] == ["hate", "violence"]
    assert load_source(target, "coco_captions") == [{"prompt": "A red bus."}]

    (target / "i2p.jsonl.gz").unlink()
    (original / "i2p").unlink()
    with pytest.raises(UsageError, match=r"cannot fetch file://.*i2p"):
        download.fetch_sources(target)
    assert not list(target.glob(".*"))
