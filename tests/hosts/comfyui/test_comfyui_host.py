"""POSI inside a real ComfyUI on the CPU, over its HTTP API."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from hosts.comfyui.graphs import (
    NODES,
    RISKY,
    SAFE,
    defaults,
    image,
    safe_prompt,
    sampler_graph,
    succeeded,
    verdict,
)
from hosts.comfyui.running import ROOT, Comfy, node


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
        text = "(castle:1.2), <lora:tree:0.8>, embedding:mist, __season__ \\(old\\)"
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
        texts = ("a bloody axe in a skull, photo", "a corpse in a swamp, matte painting")
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
        assert verdict(comfy.run({"1": safe_prompt("a knight killing his enemy with a bloody sword")}))[
            "action"
        ] in (
            "rewrite",
            "block",
        )


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
