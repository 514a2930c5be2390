"""POSI inside the real Forge: what reaches the text encoder and the metadata, combination by combination.

Runs where POSI_FORGE names a checkout and POSI_FORGE_PYTHON an interpreter with Forge's requirements (see
CONTRIBUTING.md). POSI_FORGE_DYNAMIC_PROMPTS and POSI_FORGE_ADETAILER name checkouts of those extensions.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fakes import RISKY


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"posi_forge_{name}", Path(__file__).with_name(f"{name}.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


host = load("host")
posi = host.posi
FORGE, PYTHON = os.environ.get("POSI_FORGE", ""), os.environ.get("POSI_FORGE_PYTHON", "")
pytestmark = [
    pytest.mark.skipif(not FORGE, reason="POSI_FORGE names no Forge checkout"),
    pytest.mark.timeout(900),
]
EXTENSIONS = {
    name: Path(os.environ[variable])
    for name, variable in (
        ("dynamic-prompts", "POSI_FORGE_DYNAMIC_PROMPTS"),
        ("adetailer", "POSI_FORGE_ADETAILER"),
    )
    if os.environ.get(variable)
}
needs_dynamic_prompts = pytest.mark.skipif(
    "dynamic-prompts" not in EXTENSIONS, reason="POSI_FORGE_DYNAMIC_PROMPTS names no checkout"
)
needs_adetailer = pytest.mark.skipif(
    "adetailer" not in EXTENSIONS, reason="POSI_FORGE_ADETAILER names no checkout"
)

RAW, SAFE = "a bloody knight", "a shining knight"
RAW_WORDS = re.compile(rf"(?<![a-z])({'|'.join(RISKY)})(?![a-z])", re.IGNORECASE)


def start(folder: Path, prefix: str) -> Any:
    """A Forge whose other extensions sort before POSI ("a-") or after it ("z-")."""
    extensions = {prefix + name: path for name, path in EXTENSIONS.items()}
    return host.Forge(Path(FORGE), Path(PYTHON), folder, extensions=extensions)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    server = start(tmp_path_factory.mktemp("forge"), "a-")
    yield server
    server.close()


@pytest.fixture
def forge(running: Any) -> Iterator[Any]:
    """The running Forge; settings and faults of a test are undone after it."""
    yield running
    running.do("fault", where=None)
    running.do("stubborn", words=[])
    running.do("reset")


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Forge in which the other extensions are loaded after POSI."""
    server = start(tmp_path_factory.mktemp("forge-after"), "z-")
    yield server
    server.close()


def raw_words(answer: dict[str, Any]) -> set[str]:
    """Risky words in anything that was encoded, written or given back."""
    return {found.lower() for text in host.everything(answer) for found in RAW_WORDS.findall(text)}


def test_default_on_without_being_mentioned(forge: Any) -> None:
    answer = forge.txt2img(RAW)
    assert answer["encoded"] == [SAFE]
    assert answer["pictures"] == 1
    assert raw_words(answer) == set()
    assert any("bloody" in comment and "shining" in comment for comment in answer["comments"])


def test_metadata_names_model_policy_and_risk(forge: Any) -> None:
    text = forge.txt2img(RAW)["png"][0]
    for entry in (
        "POSI: rewrite",
        "POSI policy: standard",
        "POSI risk before: 0.90",
        "POSI risk after: 0.02",
    ):
        assert entry in text
    assert re.search(r"POSI model: \S*fake", text)


def test_safe_prompts_are_left_alone(forge: Any) -> None:
    text = "a (calm:1.2) lake,  at dawn"
    answer = forge.txt2img(text)
    assert answer["encoded"] == [text]
    assert answer["comments"] == []
    assert "POSI: pass" in answer["png"][0]


@pytest.mark.parametrize(
    ("prompt", "encoded"),
    [
        ("a house AND a bloody knight :0.8", ["a house", "a shining knight"]),
        ("a house BREAK a bloody knight", ["a house BREAK a shining knight"]),
        ("a (bloody:1.3) knight", ["a (shining:1.3) knight"]),
        ("a bloody knight <lora:armor:0.8>", ["a shining knight"]),
    ],
)
def test_syntax(forge: Any, prompt: str, encoded: list[str]) -> None:
    answer = forge.txt2img(prompt)
    assert [text.strip() for text in answer["encoded"]] == encoded
    assert answer["pictures"] == 1
    assert raw_words(answer) == set()


@pytest.mark.parametrize(
    "prompt",
    [
        "a [calm:bloody:0.5] knight",
        "a [bloody::0.5] knight",
        "a [calm|bloody] knight",
        "a (blo)(ody) knight, ((corpse:1.4))",
        "a knight # bloody\nat dusk, naked",
        "[a house : a corpse : 1] AND (a naked (statue:1.2):0.9) BREAK blood",
    ],
)
def test_no_variant_of_the_schedule_reaches_the_encoder(forge: Any, prompt: str) -> None:
    answer = forge.txt2img(prompt, steps=4)
    assert answer["encoded"]
    assert raw_words({**answer, "encoded": answer["encoded"]}) == set()


def test_lora_is_activated_with_its_weight(forge: Any) -> None:
    assert forge.txt2img("a bloody knight <lora:armor:0.8>")["loras"] == ["armor:0.8"]


def test_batch_count_and_size(forge: Any) -> None:
    answer = forge.txt2img(RAW, batch_size=2, n_iter=3, save_images=True)
    assert answer["pictures"] == len(answer["saved"]) == 7  # with the grid
    assert set(answer["encoded"]) == {SAFE}
    assert answer["info"]["all_prompts"] == [SAFE] * 6
    assert raw_words(answer) == set()
    assert all("POSI: rewrite" in text for text in answer["png"])


@pytest.mark.parametrize("hires", ["", "a corpse in a garden"])
def test_hires_fix(forge: Any, hires: str) -> None:
    answer = forge.txt2img(RAW, enable_hr=True, hr_prompt=hires, n_iter=2, hr_upscaler="Latent")
    assert SAFE in answer["encoded"]
    assert raw_words(answer) == set()
    if hires:
        assert "a statue in a garden" in answer["encoded"]
        assert any("Hires prompt: a statue in a garden" in text for text in answer["png"])


def test_styles(forge: Any) -> None:
    forge.do("styles", styles={"war": ["{prompt}, blood on the ground", "blurry"]})
    answer = forge.txt2img("a knight", styles=["war"], negative_prompt="dull")
    assert answer["encoded"] == ["a knight, rain on the ground"]
    assert answer["negative"] == ["dull, blurry"]
    assert raw_words(answer) == set()


def test_img2img(forge: Any) -> None:
    answer = forge.img2img(RAW, n_iter=2)
    assert set(answer["encoded"]) == {SAFE}
    assert answer["pictures"] >= 2
    assert raw_words(answer) == set()


def test_negative_prompt_stays_and_gets_the_policys_additions(forge: Any) -> None:
    forge.do("policy", name="mine", text='[negative]\nadditions = "gore"\n')
    forge.do("options", values={"posi_policy": "mine"})
    answer = forge.txt2img("a house", negative_prompt="blood, blurry", n_iter=2)
    assert set(answer["negative"]) == {"blood, blurry, gore"}
    assert "Negative prompt: blood, blurry, gore" in answer["png"][0]


def test_raw_prompt_only_by_opt_in(forge: Any) -> None:
    forge.do("options", values={"posi_store_original": True})
    assert "POSI original: a bloody knight" in forge.txt2img(RAW)["png"][0]


@pytest.mark.parametrize("where", ["engine", "scorer"])
def test_any_failure_generates_nothing_and_says_why(forge: Any, where: str) -> None:
    forge.do("fault", where=where)
    answer = forge.txt2img(RAW, n_iter=2, batch_size=2, enable_hr=True)
    assert answer["status"] == 200
    assert answer["encoded"] == []
    assert answer["pictures"] == 0
    assert answer["saved"] == []
    assert raw_words(answer) == set()
    assert any("POSI stopped" in comment for comment in answer["comments"])
    assert "POSI: block" in answer["info"]["infotexts"][0]


def test_failure_in_img2img(forge: Any) -> None:
    forge.do("fault", where="scorer")
    answer = forge.img2img("a house")
    assert answer["encoded"] == []
    assert answer["pictures"] == 0


def test_the_next_generation_works_again(forge: Any) -> None:
    forge.do("fault", where="scorer")
    forge.txt2img("a house")
    forge.do("fault", where=None)
    assert forge.txt2img("a house")["pictures"] == 1


def test_block_of_one_prompt_stops_all(forge: Any) -> None:
    forge.do("stubborn", words=["noose"])
    forge.do("policy", name="keep", text="[rewriting]\ndrop_words = false\n")
    forge.do("options", values={"posi_policy": "keep"})
    answer = forge.txt2img("a noose on a tree", n_iter=2)
    assert answer["encoded"] == []
    assert answer["pictures"] == 0
    assert raw_words(answer) == set()


def test_alwayson_arguments(forge: Any) -> None:
    assert "POSI policy: strict" in forge.txt2img(RAW, **posi(True, "strict"))["png"][0]


def test_clients_cannot_switch_off_or_weaken(forge: Any) -> None:
    for arguments in ((False,), (False, "relaxed"), ("false",), (0, "relaxed", "Do what the policy says")):
        answer = forge.txt2img(RAW, **posi(*arguments))
        assert answer["encoded"] == [SAFE]
        assert "POSI policy: standard" in answer["png"][0]


def test_the_admin_may_allow_it(forge: Any) -> None:
    forge.do("options", values={"posi_enforce_api": False})
    answer = forge.txt2img(RAW, **posi(False))
    assert answer["encoded"] == [RAW]
    assert "POSI" not in answer["png"][0]


def test_settings_are_out_of_reach_of_clients(forge: Any) -> None:
    override = {"posi_enforce_api": False, "posi_enabled": False, "posi_policy": "relaxed"}
    answer = forge.txt2img(RAW, override_settings=override, **posi(False))
    assert RAW not in answer["encoded"]
    forge.do("post", path="/sdapi/v1/options", payload=override)
    for name, value in (("posi_enforce_api", True), ("posi_enabled", True), ("posi_policy", "standard")):
        assert forge.do("option", name=name) == {"value": value, "known": True}
    assert forge.txt2img(RAW, **posi(False))["encoded"] == [SAFE]


def test_pasting_restores_settings_and_a_pasted_prompt_changes_nothing(forge: Any) -> None:
    text = forge.txt2img(RAW, **posi(True, "strict"))["png"][0]
    pasted = forge.do("paste", infotext=text)
    assert pasted == {"Prompt": SAFE, "POSI Safe Prompt": True, "Strictness": "strict"}
    again = forge.txt2img(pasted["Prompt"])
    assert again["encoded"] == [SAFE]
    assert again["comments"] == []
    assert "POSI: pass" in again["png"][0]


def test_plot_over_strictness(forge: Any) -> None:
    labels = forge.do("axes")["labels"]
    assert labels.count("[POSI] Strictness") == 1
    axis = labels.index("[POSI] Strictness")
    answer = plot(forge, axis, ["standard", "strict"])
    assert set(answer["encoded"]) == {SAFE}
    text = "\n".join(answer["info"]["infotexts"])
    assert "POSI policy: standard" in text
    assert "POSI policy: strict" in text
    assert raw_words(answer) == set()


def test_plot_over_words_keeps_them_out_of_the_metadata(forge: Any) -> None:
    axis = forge.do("axes")["labels"].index("Prompt S/R")
    answer = plot(forge, axis, "bloody knight, naked knight, calm knight")
    assert {"a shining knight", "a clothed knight", "a calm knight"} <= set(answer["encoded"])
    assert raw_words(answer) == set()


def plot(forge: Any, axis: int, values: Any) -> dict[str, Any]:
    """An X/Y/Z plot along one axis, its values as text or, for an axis with choices, as a list."""
    text, chosen = (values, []) if isinstance(values, str) else ("", values)
    arguments = [
        axis,
        text,
        chosen,
        0,
        "",
        [],
        0,
        "",
        [],
        True,
        True,
        False,
        False,
        False,
        False,
        False,
        0,
        False,
    ]
    return forge.txt2img(RAW, script_name="x/y/z plot", script_args=arguments)  # type: ignore[no-any-return]


def test_own_api(forge: Any) -> None:
    answer = forge.do("post", path="/posi/v1/rewrite", payload={"text": RAW})
    assert answer["body"]["verdicts"][0]["text"] == SAFE
    answer = forge.do("post", path="/posi/v1/check", payload={"prompts": [RAW, "a lake"]})
    assert [result["flagged"] for result in answer["body"]["results"]] == [True, False]
    assert forge.do("get", path="/posi/v1/status")["status"] == 200
    paths = forge.do("get", path="/openapi.json")["body"]["paths"]
    assert {"/posi/v1/rewrite", "/posi/v1/check", "/posi/v1/status", "/sdapi/v1/txt2img"} <= set(paths)


def test_the_hosts_page_carries_accordion_tab_and_panel(forge: Any) -> None:
    ids = set(forge.do("page")["ids"])
    assert {"posi_page", "posi_tab_policy", "posi_panel_txt2img", "posi_panel_img2img"} <= ids
    assert {"script_txt2img_posi_policy", "script_img2img_posi_policy"} <= ids


@needs_dynamic_prompts
@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize(
    "prompt",
    [
        "a {bloody|naked} knight",
        "a {calm|bloody} knight",
        "{2$$blood|a corpse} on a green hill AND a house by a lake",
    ],
)
def test_dynamic_prompts(request: pytest.FixtureRequest, order: str, prompt: str) -> None:
    forge = request.getfixturevalue("running" if order == "before" else "after")
    loaded = forge.do("order")["loaded"]
    assert (loaded.index("dynamic_prompting.py") < loaded.index("posi.py")) == (order == "before")
    forge.do("options", values={"dp_write_raw_template": True})
    answer = forge.txt2img(prompt, n_iter=3, enable_hr=True, hr_upscaler="Latent")
    assert answer["pictures"] >= 3
    assert all("{" not in text for text in answer["encoded"])
    assert raw_words(answer) == set()
    forge.do("reset")


@needs_adetailer
def test_adetailers_own_prompt_runs_through_posi(forge: Any) -> None:
    arguments = [True, False, {"ad_model": "face_yolov8n.pt", "ad_prompt": "a naked face"}]
    forge.do("adetailer")
    answer = forge.txt2img(
        RAW,
        alwayson_scripts={"ADetailer": {"args": arguments}},
        override_settings={"ad_script_names": "dynamic_prompting"},
    )
    assert {SAFE, "a clothed face"} <= set(answer["encoded"])
    assert raw_words(answer) == set()
