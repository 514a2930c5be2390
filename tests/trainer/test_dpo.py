"""DPO through TRL on a tiny random model: it learns the preference, resumes, and refuses what it cannot use."""

from __future__ import annotations

import dataclasses
import gzip
import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from posi.posi_core.errors import UsageError  # noqa: E402
from posi.trainer.adapter_note import read_note  # noqa: E402
from posi.trainer.dpo import DPOConfig, load_config, preferences, run_dpo  # noqa: E402
from posi.trainer.merge import load_merged  # noqa: E402
from posi.trainer.ppo.setup import load_parts  # noqa: E402
from posi.trainer.sft.run import save_adapter  # noqa: E402
from tiny_lm import save_tiny_base, tiny_tokenizer  # noqa: E402

PAIRS = [
    {"toxic": f"a bloody {noun}", "clean": f"a clean {noun}", "rejected": f"a bloody {noun}"}
    for noun in ("barn", "sword", "tower", "hill", "coat", "knight")
]


def write(path: Path, rows: list[dict[str, str]]) -> str:
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    return str(path)


@pytest.fixture
def config(tmp_path: Path) -> DPOConfig:
    from posi.trainer.adapter_note import AdapterNote
    from posi.trainer.ppo.config import PPOConfig
    from posi.trainer.template import Template

    base = str(save_tiny_base(tmp_path / "base"))
    parts = load_parts(PPOConfig(base=base, prompts=""), dtype=torch.float32)
    save_adapter(parts.policy, tmp_path / "sft", AdapterNote(base, Template(), ""))
    return DPOConfig(
        base=base,
        adapter=str(tmp_path / "sft"),
        pairs=write(tmp_path / "pairs.jsonl.gz", PAIRS),
        epochs=4,
        batch_size=3,
        learning_rate=1e-2,
        save_every=2,
        log_every=1,
        threads=1,
    )


def preference(config: DPOConfig, adapter: Path | None) -> float:
    """How much likelier the merged model finds the chosen answers than the rejected ones, mean log odds."""
    merged = load_merged(config.base, Path(config.adapter))
    model = merged.model
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(adapter), autocast_adapter_dtype=True).float()
    total = 0.0
    for row in preferences(PAIRS, merged.tokenizer, config):
        for side, sign in (("chosen_ids", 1), ("rejected_ids", -1)):
            ids = torch.tensor([row["prompt_ids"] + row[side]])
            with torch.no_grad():
                logps = model(input_ids=ids).logits[:, :-1].log_softmax(-1)
            taken = logps.gather(-1, ids[:, 1:, None])[0, len(row["prompt_ids"]) - 1 :]
            total += sign * float(taken.sum())
    return total / len(PAIRS)


def test_the_chosen_answers_become_likelier_than_the_rejected_ones(config: DPOConfig, tmp_path: Path) -> None:
    before = preference(config, None)
    means = run_dpo(config, tmp_path / "run", dtype=torch.float32)
    assert preference(config, tmp_path / "run" / "adapter") > before + 1
    assert means["rewards/accuracies"] == 1
    assert read_note(tmp_path / "run" / "adapter").base == config.base
    assert json.loads((tmp_path / "run" / "run.json").read_text())["algorithm"] == "dpo"


def test_a_stopped_run_ends_where_an_unbroken_one_does(
    config: DPOConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from posi.trainer.dpo_trainer import RewriterDPOTrainer
    from safetensors.torch import load_file

    run_dpo(config, tmp_path / "whole", dtype=torch.float32)
    step, seen = RewriterDPOTrainer.training_step, [0]

    def killed(self: RewriterDPOTrainer, *args: object, **kwargs: object) -> object:
        seen[0] += 1
        if seen[0] > 4:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    monkeypatch.setattr(RewriterDPOTrainer, "training_step", killed)
    with pytest.raises(KeyboardInterrupt):
        run_dpo(config, tmp_path / "broken", dtype=torch.float32)
    monkeypatch.undo()
    run_dpo(config, tmp_path / "broken", dtype=torch.float32)
    whole, broken = (
        load_file(tmp_path / run / "adapter" / "adapter_model.safetensors") for run in ("whole", "broken")
    )
    assert all(torch.equal(whole[name], broken[name]) for name in whole)


def test_pairs_without_a_rejected_side_or_too_long_are_left_out(config: DPOConfig) -> None:
    rows = [*PAIRS[:1], {"toxic": "a barn", "clean": "a barn"}, {**PAIRS[1], "clean": "a " * 200}]
    tokenizer = tiny_tokenizer()
    (row,) = preferences(rows, tokenizer, config)
    assert tokenizer.decode(row["chosen_ids"]) == "a clean barn<|im_end|>"
    assert tokenizer.decode(row["rejected_ids"]) == "a bloody barn<|im_end|>"
    assert tokenizer.decode(row["prompt_ids"]).endswith(":\na bloody barn<|im_end|>")


def test_a_file_without_rejected_sides_is_refused(config: DPOConfig, tmp_path: Path) -> None:
    pairs = write(tmp_path / "sft.jsonl.gz", [{"toxic": "a barn", "clean": "a barn"}])
    with pytest.raises(UsageError, match="no pair with `rejected`"):
        run_dpo(dataclasses.replace(config, pairs=pairs), tmp_path / "run", dtype=torch.float32)


def test_an_adapter_of_another_template_is_refused(config: DPOConfig, tmp_path: Path) -> None:
    other = dataclasses.replace(config, template=dataclasses.replace(config.template, prefix="Rewrite: "))
    with pytest.raises(UsageError, match="another template"):
        run_dpo(other, tmp_path / "run", dtype=torch.float32)


def test_our_recipe_holds_the_reward_that_chooses_its_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    from posi.trainer.rewards import build

    path = Path(__file__).parents[2] / "trainer" / "recipes" / "smollm2-135m" / "dpo.toml"
    assert load_config(path).beta == 0.1
    asked: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(build, "build_reward", lambda kind, options: asked.append((kind, options)))
    build.reward_of(path)
    ((kind, options),) = asked
    assert (kind, options["lost_names"]) == ("distilled", 4.0)
    assert options["scorers"]


def test_a_wrong_value_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dpo.toml"
    path.write_text('base = "b"\nadapter = "a"\npairs = "p"\nbeta = 0.0\n')
    with pytest.raises(UsageError, match="beta is 0"):
        load_config(path)
