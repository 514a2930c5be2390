"""SFT's and PPO's adapters as one: the combined model answers as the stacked one does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")

from posi.posi_core.errors import UsageError  # noqa: E402
from posi.trainer.adapter_note import AdapterNote, read_note  # noqa: E402
from posi.trainer.combine import combine_adapters, extrapolate  # noqa: E402
from posi.trainer.commands.train import train_app  # noqa: E402
from posi.trainer.template import Template  # noqa: E402
from tiny_lm import tiny_llama  # noqa: E402


def adapted(model: Any, seed: int, rank: int, targets: list[str]) -> Any:
    made = peft.get_peft_model(
        model, peft.LoraConfig(r=rank, lora_alpha=3 * rank, target_modules=targets, task_type="CAUSAL_LM")
    )
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, value in made.named_parameters():
            if "lora_" in name:
                value.copy_(torch.randn_like(value).mul(0.05).to(torch.bfloat16).float())
    return made


def test_the_sum_of_both_updates(tmp_path: Path) -> None:
    first = adapted(tiny_llama(), 1, 4, ["q_proj", "v_proj"])
    first.save_pretrained(str(tmp_path / "sft"))
    second = adapted(first.merge_and_unload(), 2, 2, ["v_proj", "down_proj"])
    second.save_pretrained(str(tmp_path / "ppo"))
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        wanted = second(ids).logits
        combined = combine_adapters(tmp_path / "sft", tmp_path / "ppo", tmp_path / "both")
        got = peft.PeftModel.from_pretrained(tiny_llama(), str(combined))(ids).logits
        plain = tiny_llama()(ids).logits
    assert torch.allclose(got, wanted, atol=0.02)
    assert not torch.allclose(got, plain, atol=0.2)
    assert json.loads((combined / "adapter_config.json").read_text())["r"] == 6


def logits(folder: Path) -> Any:
    with torch.no_grad():
        return peft.PeftModel.from_pretrained(tiny_llama(), str(folder))(torch.arange(5, 25)[None]).logits


def update(folder: Path) -> dict[str, Any]:
    model = peft.PeftModel.from_pretrained(tiny_llama(), str(folder)).merge_and_unload()
    plain = tiny_llama().state_dict()
    return {name: value - plain[name] for name, value in model.state_dict().items()}


def test_extrapolation_carries_the_update_on_from_the_start(tmp_path: Path) -> None:
    adapted(tiny_llama(), 1, 4, ["q_proj", "v_proj"]).save_pretrained(str(tmp_path / "start"))
    adapted(tiny_llama(), 2, 2, ["v_proj", "down_proj"]).save_pretrained(str(tmp_path / "end"))
    start, end = update(tmp_path / "start"), update(tmp_path / "end")
    got = update(extrapolate(tmp_path / "start", tmp_path / "end", 0.5, tmp_path / "on"))
    for name, value in got.items():
        assert torch.allclose(value, 1.5 * end[name] - 0.5 * start[name], atol=0.005), name
    none = extrapolate(tmp_path / "start", tmp_path / "end", 0.0, tmp_path / "none")
    assert torch.allclose(logits(none), logits(tmp_path / "end"), atol=0.02)


def test_the_command_takes_the_note_along_and_refuses_adapters_of_two_bases(tmp_path: Path) -> None:
    for seed, (name, base) in enumerate([("start", "one"), ("end", "one"), ("other", "two")]):
        adapted(tiny_llama(), seed, 2, ["q_proj"]).save_pretrained(str(tmp_path / name))
        AdapterNote(base, Template("p", "s", "e"), "0123abc").write(tmp_path / name)
    arguments = ["extrapolate", str(tmp_path / "start"), str(tmp_path / "end"), "--rank", "2"]
    result = CliRunner().invoke(train_app, [*arguments, "--out", str(tmp_path / "on")])
    assert result.exit_code == 0, result.output
    assert read_note(tmp_path / "on") == read_note(tmp_path / "end")
    wrong = ["extrapolate", str(tmp_path / "other"), str(tmp_path / "end"), "--out", str(tmp_path / "no")]
    with pytest.raises(UsageError, match="an adapter of two"):
        CliRunner().invoke(train_app, wrong, catch_exceptions=False)
    assert not (tmp_path / "no").exists()


def test_a_cut_keeps_the_largest_part_of_the_update(tmp_path: Path) -> None:
    adapted(tiny_llama(), 1, 4, ["q_proj"]).save_pretrained(str(tmp_path / "start"))
    adapted(tiny_llama(), 2, 2, ["q_proj"]).save_pretrained(str(tmp_path / "end"))
    whole = update(extrapolate(tmp_path / "start", tmp_path / "end", 1.0, tmp_path / "whole"))
    for rank in (3, 8):
        cut = extrapolate(tmp_path / "start", tmp_path / "end", 1.0, tmp_path / f"cut{rank}", rank=rank)
        assert json.loads((cut / "adapter_config.json").read_text())["r"] == rank
        for name, value in update(cut).items():
            if not whole[name].any():
                continue
            u, values, v = torch.linalg.svd(whole[name])
            best = u[:, :rank] @ torch.diag(values[:rank]) @ v[:rank]
            assert torch.allclose(value, best, atol=0.01), name


def test_what_does_not_add_up_is_refused(tmp_path: Path) -> None:
    made = adapted(tiny_llama(), 1, 4, ["q_proj"])
    made.save_pretrained(str(tmp_path / "plain"))
    config = tmp_path / "plain" / "adapter_config.json"
    dora = tmp_path / "dora"
    dora.mkdir()
    (dora / "adapter_config.json").write_text(
        json.dumps({**json.loads(config.read_text()), "use_dora": True})
    )
    with pytest.raises(UsageError, match="not a plain LoRA"):
        combine_adapters(tmp_path / "plain", dora, tmp_path / "out")
    with pytest.raises(UsageError, match="no adapter in"):
        combine_adapters(tmp_path / "plain", tmp_path / "absent", tmp_path / "out")


def test_the_sum_command_weighs_each_part_and_takes_the_first_note(tmp_path: Path) -> None:
    adapted(tiny_llama(), 1, 2, ["q_proj"]).save_pretrained(str(tmp_path / "sft"))
    adapted(tiny_llama(), 2, 2, ["v_proj"]).save_pretrained(str(tmp_path / "ppo"))
    AdapterNote("one", Template("p", "s", "e"), "0123abc").write(tmp_path / "sft")
    sft, ppo, out = tmp_path / "sft", tmp_path / "ppo", tmp_path / "sum"
    result = CliRunner().invoke(train_app, ["sum", str(sft), f"{ppo}=0.5", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert read_note(out) == read_note(sft)
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == "one"
    first, second = update(sft), update(ppo)
    for name, value in update(out).items():
        assert torch.allclose(value, first[name] + 0.5 * second[name], atol=0.005), name
    wrong = CliRunner().invoke(train_app, ["sum", str(sft), f"{ppo}=half", "--out", str(out)])
    assert isinstance(wrong.exception, UsageError)
    assert "weight 'half'" in str(wrong.exception)
