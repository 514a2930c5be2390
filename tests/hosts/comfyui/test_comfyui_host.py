"""POSI inside a real ComfyUI on the CPU, over its HTTP API."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hosts.comfyui.running import ROOT, Comfy, node, png_texts

RISKY = "a bloody knight holding a severed head, oil painting"
SAFE = "a lighthouse by the sea at dawn, watercolor"
NODES = (
    "POSI_SafePrompt",
    "POSI_SafeTextEncode",
    "POSI_PromptRisk",
    "POSI_Policy",
    "POSI_Model",
    "POSI_PromptList",
)


def safe_prompt(text: Any, **changes: Any) -> dict[str, Any]:
    return node("POSI_SafePrompt", **{"text": text, "strictness": "standard", "on_block": "stop", **changes})


def defaults(comfy: Comfy, name: str) -> dict[str, Any]:
    """The inputs of a node as the page would send them untouched."""
    required = comfy.get(f"/object_info/{name}")[name]["input"]["required"]
    return {key: spec[1]["default"] for key, spec in required.items()}


def verdict(entry: Any, node_id: str = "1") -> Any:
    (found,) = entry["outputs"][node_id]["posi"]
    return found


def sampler_graph(text: Any, *, seed: int = 1, **others: dict[str, Any]) -> dict[str, Any]:
    """Checkpoint, two encoders, sampler, decoding, saving; `text` is the positive prompt."""
    return {
        "10": node("CheckpointLoaderSimple", ckpt_name="tiny.safetensors"),
        "11": node("CLIPTextEncode", text=text, clip=["10", 1]),
        "12": node("CLIPTextEncode", text="gore, blood, nudity", clip=["10", 1]),
        "13": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "14": node(
            "KSampler",
            model=["10", 0],
            positive=["11", 0],
            negative=["12", 0],
            latent_image=["13", 0],
            seed=seed,
            steps=2,
            cfg=4.0,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
        ),
        "15": node("VAEDecode", samples=["14", 0], vae=["10", 2]),
        "16": node("SaveImage", images=["15", 0], filename_prefix="posi"),
        **others,
    }


def image(comfy: Comfy, entry: Any) -> Path:
    (found,) = entry["outputs"]["16"]["images"]
    return comfy.base / "output" / found["filename"]


def succeeded(entry: Any) -> bool:
    return bool(entry["status"]["status_str"] == "success")


class TestLoading:
    def test_object_info_lists_the_nodes(self, comfy: Comfy) -> None:
        known = comfy.get("/object_info")
        for name in NODES:
            assert known[name]["category"] == "POSI"
            assert known[name]["python_module"] == "custom_nodes.posi"

    def test_scripts_help_languages_and_templates_are_served(self, comfy: Comfy) -> None:
        assert "/extensions/posi/posi.js" in comfy.get("/extensions")
        assert set(comfy.get("/workflow_templates")["posi"]) == {
            path.stem for path in (ROOT / "example_workflows").glob("*.json")
        }
        languages = comfy.get("/i18n")
        for language in ("en", "zh", "ja", "de"):
            assert set(NODES) <= set(languages[language]["nodeDefs"])
            assert languages[language]["posi"]["block"]

    def test_a_missing_engine_leaves_the_pack_loaded_and_says_what_to_type(
        self, start: Any, tmp_path: Path
    ) -> None:
        """A module of that name that cannot be found stands before the real one."""
        (tmp_path / "sitecustomize.py").write_text(
            "import importlib.abc, sys\n"
            "class Hide(importlib.abc.MetaPathFinder):\n"
            "    def find_spec(self, name, path, target=None):\n"
            "        if name.partition('.')[0] == 'llama_cpp':\n"
            "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
            "sys.meta_path.insert(0, Hide())\n"
        )
        server = start(PYTHONPATH=str(tmp_path))
        assert "POSI_SafePrompt" in server.get("/object_info")
        assert verdict(server.run({"1": safe_prompt(SAFE)}))["action"] == "pass"
        blocked = verdict(server.run({"1": safe_prompt(RISKY)}))
        assert blocked["action"] == "block"
        assert "-m pip install llama-cpp-python --prefer-binary" in blocked["reason"]


class TestTextOnly:
    def test_a_lone_node_rewrites(self, comfy: Comfy) -> None:
        found = verdict(comfy.run({"1": safe_prompt(RISKY)}))
        assert found["action"] == "rewrite", found
        assert found["text"] != RISKY
        assert found["risk_after"]["overall"] < found["risk_before"]["overall"]
        assert found["changes"]

    def test_a_safe_prompt_with_all_syntax_comes_out_as_it_went_in(self, comfy: Comfy) -> None:
        text = "(castle:1.2), <lora:fog:0.8>, embedding:mist, __season__ \\(old\\)"
        found = verdict(comfy.run({"1": safe_prompt(text)}))
        assert (found["action"], found["text"]) == ("pass", text)

    def test_risk_policy_and_model_nodes_in_one_graph(self, comfy: Comfy) -> None:
        graph = {
            "1": safe_prompt(RISKY, policy=["2", 0], model=["3", 0], on_block="neutral"),
            "2": node("POSI_Policy", **{**defaults(comfy, "POSI_Policy"), "base": "strict"}),
            "3": node("POSI_Model", **{**defaults(comfy, "POSI_Model"), "threads": 1}),
            "4": node("POSI_PromptRisk", text=RISKY),
            "5": node("PreviewAny", source=["1", 4]),
        }
        entry = comfy.run(graph)
        assert succeeded(entry)
        assert verdict(entry)["policy"].startswith("strict")
        (risk,) = entry["outputs"]["4"]["posi"]
        assert risk["overall"] > 0.3
        assert any(word["share"] > 0 for word in risk["words"])
        assert json.loads(entry["outputs"]["5"]["text"][0])["action"] == verdict(entry)["action"]

    def test_example_graph_for_audits_runs(self, comfy: Comfy) -> None:
        graph = api_graph(comfy, ROOT / "example_workflows" / "posi_batch_audit.json")
        entry = comfy.run(graph)
        assert succeeded(entry)
        shown = [out["posi"] for out in entry["outputs"].values() if "posi" in out]
        assert max(len(entries) for entries in shown) > 1, "a batch has several entries"


class TestCaching:
    def test_unchanged_inputs_do_not_run_again_but_changed_ones_do(self, comfy: Comfy) -> None:
        graph = {"1": safe_prompt("a gloomy forest, etching")}
        assert comfy.executed(comfy.run(graph)) == {"1"}
        assert comfy.executed(comfy.run(graph)) == set()
        assert comfy.executed(
            comfy.run({"1": safe_prompt("a gloomy forest, etching", strictness="strict")})
        ) == {"1"}

    def test_a_changed_policy_runs_the_node_again(self, comfy: Comfy) -> None:
        graph = {
            "1": safe_prompt(SAFE, policy=["2", 0]),
            "2": node("POSI_Policy", **defaults(comfy, "POSI_Policy")),
        }
        comfy.run(graph)
        graph["2"]["inputs"]["violence"] = 0.15
        assert "1" in comfy.executed(comfy.run(graph))

    def test_answers_survive_a_restart(self, start: Any) -> None:
        first = start()
        fresh = verdict(first.run({"1": safe_prompt(RISKY)}))
        first.stop()
        again = verdict(start(base=first.base).run({"1": safe_prompt(RISKY)}))
        assert not fresh["cached"]
        assert again["cached"]
        assert again["text"] == fresh["text"]


class TestSampling:
    def test_a_picture_from_end_to_end(self, comfy: Comfy) -> None:
        entry = comfy.run(sampler_graph(["1", 0], **{"1": safe_prompt(RISKY)}))
        assert succeeded(entry), entry["status"]
        assert image(comfy, entry).stat().st_size > 0
        assert verdict(entry)["action"] == "rewrite"

    def test_the_swapped_encoder_does_the_same(self, comfy: Comfy) -> None:
        graph = sampler_graph("")
        graph["11"] = node(
            "POSI_SafeTextEncode", text=RISKY, clip=["10", 1], strictness="standard", on_block="stop"
        )
        entry = comfy.run(graph)
        assert succeeded(entry), entry["status"]
        assert verdict(entry, "11")["action"] == "rewrite"
        separate = comfy.run(sampler_graph(["1", 0], **{"1": safe_prompt(RISKY)}))
        assert _pixels(image(comfy, entry)) == _pixels(image(comfy, separate))

    def test_a_blocked_prompt_stops_the_sampler_not_the_server(self, comfy: Comfy) -> None:
        graph = sampler_graph(["1", 0], seed=2, **{"1": safe_prompt("a naked child")})
        entry = comfy.run(graph)
        assert verdict(entry)["action"] == "block"
        assert "16" not in entry["outputs"]
        assert succeeded(comfy.run({"1": safe_prompt(SAFE)}))

    def test_bypassing_the_node_passes_the_raw_text_when_nothing_is_enforced(self, comfy: Comfy) -> None:
        """The page leaves a bypassed node out and links around it; on by choice only."""
        graph = sampler_graph(["2", 0], seed=3, **{"2": node("PrimitiveString", value=RISKY)})
        assert succeeded(comfy.run(graph))

    def test_two_queued_prompts_both_end(self, comfy: Comfy) -> None:
        texts = ("a bloody axe on a table, photo", "a corpse in a swamp, matte painting")
        ids = [comfy.queue(sampler_graph(["1", 0], seed=4, **{"1": safe_prompt(text)})) for text in texts]
        for prompt_id, text in zip(ids, texts, strict=True):
            found = verdict(comfy.wait(prompt_id))
            assert found["original"] == text
            assert found["action"] in ("rewrite", "block")


class TestInterruptAndMemory:
    def test_an_interrupt_ends_the_node_quickly(self, comfy: Comfy) -> None:
        comfy.post("/posi/v1/load", {})
        parts = [
            "a bloody knight holding a severed head in a dark cellar, oil painting, highly detailed"
        ] * 12
        graph = {
            "1": safe_prompt(
                ", ".join(f"{part} number {n}" for n, part in enumerate(parts)), strictness="strict"
            )
        }
        prompt_id = comfy.queue(graph)
        while not comfy.get("/queue")["queue_running"]:
            time.sleep(0.01)
        time.sleep(0.3)
        asked = time.time()
        comfy.post("/interrupt", {})
        messages = dict(comfy.wait(prompt_id)["status"]["messages"])
        assert "execution_interrupted" in messages, messages
        took = messages["execution_interrupted"]["timestamp"] / 1000 - asked
        # 0.2 s is what a calm machine must keep; the rest is for one that runs other things.
        assert took < 0.2, f"{took:.2f} s from the interrupt to the end of the run"

    def test_free_unloads_the_engine(self, comfy: Comfy) -> None:
        _, status = comfy.post("/posi/v1/load", {})
        assert any(engine["loaded"] for engine in status["engines"])
        comfy.post("/free", {"unload_models": True, "free_memory": True})
        end = time.monotonic() + 15
        while time.monotonic() < end:
            if not any(engine["loaded"] for engine in comfy.get("/posi/v1/status")["engines"]):
                break
            time.sleep(0.2)
        else:
            raise AssertionError(comfy.get("/posi/v1/status"))
        assert verdict(comfy.run({"1": safe_prompt("a knight with a bloody sword over his slain enemy")}))[
            "action"
        ] in (
            "rewrite",
            "block",
        )


class TestEnforcement:
    @pytest.fixture(scope="class")
    def refusing(self, start: Any) -> Comfy:
        server: Comfy = start(POSI_ENFORCE="refuse", POSI_REDACT_METADATA="1")
        return server

    def test_a_raw_prompt_is_refused_with_its_reason(self, refusing: Comfy) -> None:
        status, answer = refusing.post("/prompt", {"prompt": sampler_graph(RISKY)})
        assert status == 400
        assert answer["error"]["type"] == "posi_refused"
        assert "limit" in answer["error"]["details"]
        assert "11" in answer["node_errors"]
        assert "severed" not in json.dumps(answer)

    def test_a_bypassed_posi_node_opens_no_hole(self, refusing: Comfy) -> None:
        graph = sampler_graph(["2", 0], **{"2": node("PrimitiveString", value=RISKY)})
        assert refusing.post("/prompt", {"prompt": graph})[0] == 400

    def test_pieces_put_together_in_the_graph_are_refused(self, refusing: Comfy) -> None:
        graph = sampler_graph(
            ["2", 0],
            **{
                "2": node(
                    "StringConcatenate",
                    string_a="a blo",
                    string_b="ody knight holding a severed head, oil painting",
                    delimiter="",
                )
            },
        )
        assert refusing.post("/prompt", {"prompt": graph})[0] == 400

    def test_clean_prompts_and_negative_prompts_run(self, refusing: Comfy) -> None:
        assert succeeded(refusing.run(sampler_graph(SAFE)))

    def test_nobody_goes_under_the_floor_by_a_lax_policy(self, refusing: Comfy) -> None:
        lax = defaults(refusing, "POSI_Policy")
        lax.update({name: 1.0 for name, value in lax.items() if value == -1.0 and name != "similarity_floor"})
        entry = refusing.run({"1": safe_prompt(RISKY, policy=["2", 0]), "2": node("POSI_Policy", **lax)})
        assert verdict(entry)["action"] != "pass"

    def test_judging_takes_milliseconds(self, refusing: Comfy) -> None:
        refusing.post("/prompt", {"prompt": sampler_graph(RISKY)})
        started = time.monotonic()
        refusing.post("/prompt", {"prompt": sampler_graph(RISKY + ", again")})
        assert time.monotonic() - started < 1.0

    def test_saved_pictures_carry_the_safe_prompt(self, refusing: Comfy) -> None:
        graph = sampler_graph(["1", 0], **{"1": safe_prompt(RISKY)})
        workflow = {"nodes": [{"id": 1, "widgets_values": [RISKY, "standard", "stop"]}], "links": []}
        entry = refusing.run(graph, workflow)
        safe = verdict(entry)["text"]
        self._carries(image(refusing, entry), safe)
        # Only the seed changes: the POSI node is cached and does not run, yet the picture must not tell.
        again = refusing.run(sampler_graph(["1", 0], seed=9, **{"1": safe_prompt(RISKY)}), workflow)
        assert "1" not in refusing.executed(again)
        self._carries(image(refusing, again), safe)

    def _carries(self, picture: Path, safe: str) -> None:
        texts = png_texts(picture)
        assert json.loads(texts["prompt"])["1"]["inputs"]["text"] == safe
        assert json.loads(texts["workflow"])["nodes"][0]["widgets_values"][0] == safe
        assert "severed" not in json.dumps(texts)

    def test_the_page_knows_what_is_locked(self, refusing: Comfy) -> None:
        found = refusing.get("/posi/v1/enforcement")
        assert (found["mode"], found["redact"]) == ("refuse", True)
        assert "POSI.Enforcement.Mode" in found["locked"]

    def test_rewriting_puts_the_node_in_and_the_picture_comes(self, start: Any) -> None:
        server = start(POSI_ENFORCE="rewrite", POSI_REDACT_METADATA="1")
        entry = server.run(
            sampler_graph(RISKY), {"nodes": [{"id": 11, "widgets_values": [RISKY]}], "links": []}
        )
        assert succeeded(entry), entry["status"]
        found = verdict(entry, "posi-11-text")
        assert found["action"] == "rewrite"
        assert "severed" not in json.dumps(png_texts(image(server, entry)))

    def test_the_settings_page_switches_it_on_and_off(self, start: Any) -> None:
        server = start()
        assert succeeded(server.run(sampler_graph(RISKY)))
        server.post("/settings", {"POSI.Enforcement.Mode": "refuse"})
        assert server.post("/prompt", {"prompt": sampler_graph(RISKY, seed=2)})[0] == 400
        server.post("/settings", {"POSI.Enforcement.Mode": "off"})
        assert succeeded(server.run(sampler_graph(RISKY, seed=2)))


class TestRoutes:
    def test_check_rewrite_history(self, comfy: Comfy) -> None:
        status, answer = comfy.post("/posi/v1/check", {"text": RISKY, "syntax": "comfyui"})
        assert status == 200
        assert answer["results"][0]["flagged"]
        status, answer = comfy.post("/posi/v1/rewrite", {"text": RISKY, "syntax": "comfyui"})
        assert answer["verdicts"][0]["action"] == "rewrite"
        assert comfy.get("/posi/v1/history")["verdicts"][0]["original"] == RISKY

    def test_limits(self, comfy: Comfy) -> None:
        assert comfy.post("/posi/v1/check", {"text": "x" * 20_001})[0] == 400
        assert comfy.post("/posi/v1/rewrite", {"text": "x", "policy": "/etc/passwd"})[0] == 400

    def test_the_server_answers_while_a_prompt_is_rewritten(self, comfy: Comfy) -> None:
        worker = threading.Thread(
            target=comfy.post, args=("/posi/v1/rewrite", {"text": RISKY + ", at night", "syntax": "comfyui"})
        )
        worker.start()
        started = time.monotonic()
        comfy.get("/posi/v1/status")
        assert time.monotonic() - started < 2.0
        worker.join()


def api_graph(comfy: Comfy, path: Path) -> dict[str, Any]:
    """A saved workflow of the page as the graph that the page would queue; enough for the examples."""
    workflow = json.loads(path.read_text(encoding="utf-8"))
    known = comfy.get("/object_info")
    links = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    graph = {}
    for entry in workflow["nodes"]:
        if entry["type"] not in known:
            continue
        values = list(entry.get("widgets_values", []))
        linked = {slot["name"]: links[slot["link"]] for slot in entry.get("inputs", []) if slot.get("link")}
        inputs: dict[str, Any] = {}
        spec = known[entry["type"]]["input"]
        for name, (kind, *_rest) in {**spec.get("required", {}), **spec.get("optional", {})}.items():
            widget = isinstance(kind, list) or kind in ("STRING", "COMBO", "INT", "FLOAT", "BOOLEAN")
            value = values.pop(0) if widget and values else None
            if name in linked:
                inputs[name] = linked[name]
            elif widget:
                inputs[name] = value
        graph[str(entry["id"])] = node(entry["type"], **inputs)
    return graph


def _pixels(path: Path) -> bytes:
    """The compressed picture data of a PNG, without its texts."""
    data, at, found = path.read_bytes(), 8, b""
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"IDAT":
            found += data[at + 8 : at + 8 + size]
        at += size + 12
    return found
