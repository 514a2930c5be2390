"""Enforcement on a real ComfyUI: what its POST /prompt takes, refuses and rewrites."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hosts.comfyui.graphs import RISKY, SAFE, defaults, image, safe_prompt, sampler_graph, succeeded, verdict
from hosts.comfyui.running import Comfy, node, png_texts


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
