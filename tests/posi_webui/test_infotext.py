"""What pictures say, and what pasting it restores."""

from __future__ import annotations

from typing import Any

from fake_webui import Host, Processing, infotext


def test_names_model_policy_and_risk_but_not_the_raw_prompt(host: Host) -> None:
    text = host.run(Processing("a bloody knight")).infotexts[0]
    assert "POSI policy: standard" in text
    assert "POSI model: " in text
    assert "fake-scorer" in text
    assert "POSI risk before: 0.90" in text
    assert "POSI risk after: 0.02" in text
    assert "POSI original" not in text


def test_raw_prompt_only_by_opt_in(host: Host) -> None:
    host.shared.opts.data["posi_store_original"] = True
    assert "POSI original: a bloody knight" in host.run(Processing("a bloody knight")).infotexts[0]
    assert "POSI original" not in host.run(Processing("a calm lake")).infotexts[0]


def test_raw_prompts_that_others_wrote_are_replaced(host: Host) -> None:
    extra = {
        "ADetailer prompt": "a naked statue",
        "ADetailer negative prompt": "blood",
        "Lora hashes": "gun: 1234",
        "Hires prompt": lambda **_: None,
    }
    text = host.run(Processing("a house", extra_generation_params=extra)).infotexts[0]
    assert "ADetailer prompt: a clothed statue" in text
    assert "ADetailer negative prompt: blood" in text
    assert "Lora hashes: gun: 1234" in text


def test_values_of_a_plot_over_prompts_are_replaced_even_when_written_late(host: Host) -> None:
    p = Processing("a bloody knight")
    host.run(p)
    p.extra_generation_params.update({"X Type": "Prompt S/R", "X Values": "bloody knight, calm knight"})
    p.extra_generation_params.update({"Y Type": "Steps", "Y Values": "5, 10"})
    text = infotext(p, p.all_prompts[0], 0)
    assert "X Values: shining knight, calm knight" in text
    assert "Y Values: 5, 10" in text


def test_plot_values_of_a_stopped_run_are_left_out(host: Host, parts: Any) -> None:
    parts.scorer.error = RuntimeError("a bug")
    p = Processing("a bloody knight")
    host.run(p)
    p.extra_generation_params.update({"X Type": "Prompt S/R", "X Values": "bloody, naked"})
    text = infotext(p, p.all_prompts[0], 0)
    assert "bloody" not in text
    assert "POSI: block" in text


def test_scrubbing_that_fails_leaves_the_entry_out(host: Host, parts: Any) -> None:
    p = Processing("a house")
    host.run(p)
    parts.scorer.error = RuntimeError("a bug")
    p.extra_generation_params["Template"] = "a bloody {knight|king}"
    text = infotext(p, p.all_prompts[0], 0)
    assert "Template" not in text
    assert "POSI: pass" in text


def pasted(fields: list[tuple[Any, Any]], params: dict[str, str]) -> list[Any]:
    updates = [target(params) for _, target in fields]
    return [update.get("value") for update in updates]


def test_pasting_restores_the_settings_and_never_switches_off(host: Host) -> None:
    import gradio as gr

    with gr.Blocks():
        controls = host.script.ui(False)
    assert [control.value for control in controls] == [True, "standard", "Generate nothing"]
    fields = host.script.infotext_fields
    assert pasted(fields, {"POSI": "rewrite", "POSI policy": "strict"}) == [True, "strict"]
    assert pasted(fields, {"Steps": "20"}) == [None, None]
    assert pasted(fields, {"POSI": "pass", "POSI policy": "gone"}) == [True, None]


def test_panel_below_the_picture_shows_this_run(host: Host) -> None:
    import json

    from posi.posi_webui import runs

    host.run(Processing("a bloody knight"))
    html = runs.panel(json.dumps({"job_timestamp": host.shared.state.job_timestamp}))
    assert "<del>bloody</del>" in html
    assert "<ins>shining</ins>" in html
    assert runs.panel(json.dumps({"job_timestamp": "another"})) == ""
    assert runs.panel("") == runs.panel(None) == runs.panel("[]") == ""
