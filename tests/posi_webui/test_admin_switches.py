"""Who may switch POSI off or weaken it."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
from fake_webui import Host, Processing, load_script
from posi.posi_webui.choice import FOLLOW, STOP, Settings, decide


def test_defaults_switch_on() -> None:
    choice = decide(Settings(), (), api=False)
    assert choice.enabled
    assert choice.policy == "standard"
    assert choice.stop_on_block


@pytest.mark.parametrize("value", [None, "on", "true", 1, [], {}, "anything", object()])
def test_odd_values_count_as_on(value: Any) -> None:
    assert decide(Settings(), (value,), api=False).enabled


@pytest.mark.parametrize("value", [False, 0, "false", "Off"])
def test_a_user_may_switch_it_off(value: Any) -> None:
    assert not decide(Settings(), (value,), api=False).enabled


def test_an_api_client_may_not_unless_the_admin_allows_it() -> None:
    assert decide(Settings(), (False,), api=True).enabled
    assert not decide(Settings(enforce_api=False), (False,), api=True).enabled


def test_enforced_for_everybody() -> None:
    assert decide(Settings(enforce=True), (False,), api=False).enabled
    assert decide(Settings(enabled=False, enforce=True), (None,), api=False).enabled


@pytest.mark.parametrize(
    ("wanted", "counts"),
    [("relaxed", "standard"), ("strict", "strict"), ("mine", "standard"), (7, "standard")],
)
def test_enforced_strictness_is_a_floor(wanted: Any, counts: str) -> None:
    assert decide(Settings(enforce=True), (True, wanted), api=False).policy == counts


def test_a_plot_axis_is_bound_by_the_floor_too() -> None:
    settings = Settings(enforce=True)
    assert decide(settings, (True, "strict"), api=False, axis_policy="relaxed").policy == "standard"
    assert decide(Settings(), (True, "strict"), api=False, axis_policy="relaxed").policy == "relaxed"


def test_enforced_stop_stays() -> None:
    assert decide(Settings(on_block=STOP), (True, None, FOLLOW), api=True).stop_on_block
    assert not decide(Settings(on_block=STOP), (True, None, FOLLOW), api=False).stop_on_block


def test_settings_are_out_of_reach_of_the_api(host: Host) -> None:
    for register in host.callbacks.registered["ui_settings"]:
        register()
    labels = host.shared.opts.data_labels
    assert set(labels) == {f"posi_{name}" for name in Settings.__dataclass_fields__}
    assert all(option.restrict_api for option in labels.values())


def test_forges_options_route_cannot_reach_them(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[dict[str, Any]] = []
    sysinfo = types.ModuleType("modules.sysinfo")
    sysinfo.set_config = lambda req, is_api=False: taken.append(req)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "modules.sysinfo", sysinfo)
    monkeypatch.setattr(sys.modules["modules"], "sysinfo", sysinfo, raising=False)
    load_script()
    load_script()
    sysinfo.set_config({"posi_enforce_api": False, "sd_vae": "x"}, is_api=False)
    assert taken == [{"sd_vae": "x"}]


def test_settings_of_the_wrong_type_count_as_not_set(host: Host) -> None:
    host.shared.opts.data.update(posi_enforce="no", posi_seconds="soon", posi_policy=None)
    run = host.run(Processing("a bloody house"))
    assert run.encoded == ["a shining house"]


def test_settings_may_be_missing_altogether(host: Host) -> None:
    host.shared.opts.data.clear()
    assert host.run(Processing("a bloody house")).encoded == ["a shining house"]


def test_api_generation_cannot_opt_out(host: Host) -> None:
    assert host.run(Processing("a bloody house", is_api=True), args=(False,)).encoded == ["a shining house"]


def test_client_names_no_file_as_policy(host: Host, tmp_path: Any) -> None:
    weak = tmp_path / "weak.toml"
    weak.write_text("[thresholds]\noverall = 1.0\n", encoding="utf-8")
    for name in (str(weak), "../weak", "weak.toml"):
        host.shared.state.interrupted = False
        assert host.run(Processing("a bloody house"), args=(True, name)).encoded == []


def test_adetailers_second_pass_runs_posi(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.shared.opts.data["ad_script_names"] = "dynamic_prompting,wildcards"
    host.run(Processing("a house"))
    assert host.shared.opts.data["ad_script_names"] == "dynamic_prompting,wildcards,posi"
    assert "ADetailer" in capsys.readouterr().out
