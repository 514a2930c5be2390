"""The whole chain on a tiny llama: pairs -> SFT -> export -> llama.cpp, with a kill in the middle."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from posi.posi_core.errors import ModelFileError, UsageError
from posi.trainer.adapter_note import read_note
from posi.trainer.data.sources import write_rows
from posi.trainer.export.compare import compare
from posi.trainer.export.export import Exporter, ExportRequest, export
from posi.trainer.export.gguf_file import open_gguf, read_template, text_value
from posi.trainer.export.greedy import answer_limit, greedy_llama_cpp, greedy_transformers, would_say
from posi.trainer.export.quantize import TYPES
from posi.trainer.export.verify import verify
from posi.trainer.sft.config import SFTConfig
from posi.trainer.sft.run import newest_checkpoint, train
from posi.trainer.sft.trainer import RewriterTrainer
from posi.trainer.template import Template
from safetensors.torch import load_file
from tiny_llama import write_tiny_llama

PROMPTS = tuple(
    f"a {word} in the {place}" for word in ("cat", "gun", "hat", "rat") for place in ("sun", "sea", "rain")
)
TEMPLATE = Template(prefix="<|im_start|>Make it safe:\n")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> SFTConfig:
    folder = tmp_path_factory.mktemp("pairs")
    pairs = [{"toxic": prompt, "clean": prompt.replace("gun", "bun")} for prompt in PROMPTS]
    write_rows(folder / "pairs.jsonl.gz", pairs * 2)
    return SFTConfig(
        base=str(write_tiny_llama(folder / "tiny.gguf")),
        train=str(folder / "pairs.jsonl.gz"),
        validation=str(folder / "pairs.jsonl.gz"),
        rank=4,
        alpha=8,
        epochs=4,
        batch_size=6,
        learning_rate=0.01,
        save_every=4,
        evaluate_every=8,
        log_every=2,
        threads=1,
        template=TEMPLATE,
    )


@pytest.fixture(scope="module")
def run(config: SFTConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(config, folder)
    return folder


@pytest.fixture(scope="module")
def adapter(run: Path) -> Path:
    return run / "adapter"


class LetterEncoder:
    """Share of letters in common, for the comparison's cosine."""

    identity = "letters"

    def similarity(self, original: str, rewrites: Sequence[str]) -> list[float]:
        return [len(set(original) & set(text)) / max(1, len(set(original) | set(text))) for text in rewrites]


def test_a_run_folder_says_how_it_came_about(run: Path, config: SFTConfig) -> None:
    record = json.loads((run / "run.json").read_text())
    assert record["config"]["learning_rate"] == config.learning_rate
    assert record["examples"] == {"train": 24, "validation": 24}
    assert {"torch", "trl", "peft"} <= record["versions"].keys()
    metrics = json.loads((run / "metrics.json").read_text())
    losses = [entry["loss"] for entry in metrics["history"] if "loss" in entry]
    assert losses[-1] < losses[0]
    assert metrics["final"]["eval_loss"] > 0
    assert (run / "loss.png").read_bytes().startswith(b"\x89PNG")
    note = read_note(run / "adapter")
    assert (note.base, note.template) == (config.base, TEMPLATE)


def test_a_killed_run_goes_on_to_the_same_weights(
    config: SFTConfig, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = RewriterTrainer.training_step

    def killed_at_six(trainer: RewriterTrainer, *arguments: object, **named: object) -> object:
        if trainer.state.global_step == 6:
            raise KeyboardInterrupt
        return step(trainer, *arguments, **named)

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(RewriterTrainer, "training_step", killed_at_six)
        with pytest.raises(KeyboardInterrupt):
            train(config, folder)
    half = folder / "checkpoints" / "checkpoint-8"  # what a kill amid writing leaves: no state file yet
    half.mkdir()
    (half / "adapter_model.safetensors").write_bytes(b"half")
    found = newest_checkpoint(folder / "checkpoints")
    assert found is not None
    assert found.name == "checkpoint-4"
    train(config, folder)
    assert (folder / "adapter" / "adapter_model.safetensors").read_bytes() == (
        adapter / "adapter_model.safetensors"
    ).read_bytes()


def test_a_run_goes_on_with_an_adapter_and_replays_known_pairs(
    config: SFTConfig, adapter: Path, tmp_path: Path
) -> None:
    more = [{"toxic": prompt, "clean": prompt.replace("rat", "hat")} for prompt in PROMPTS]
    write_rows(tmp_path / "more.jsonl.gz", more)
    going_on = dataclasses.replace(
        config,
        adapter=str(adapter),
        train=str(tmp_path / "more.jsonl.gz"),
        replay=config.train,
        replay_share=0.5,
        rank=2,  # the adapter's own counts
        epochs=1,
        learning_rate=1e-5,
    )
    train(going_on, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["examples"]["train"] == 18
    old, new = (
        load_file(path / "adapter_model.safetensors") for path in (adapter, tmp_path / "run" / "adapter")
    )
    assert {name: value.shape for name, value in new.items()} == {
        name: value.shape for name, value in old.items()
    }
    moved = max(float((new[name] - old[name]).abs().max()) for name in old)
    assert 0 < moved < 0.01  # from where it was, not from the start
    with pytest.raises(UsageError, match="another template"):
        train(dataclasses.replace(going_on, template=Template()), tmp_path / "other")


def test_another_config_does_not_go_on_with_a_run(config: SFTConfig, run: Path) -> None:
    with pytest.raises(UsageError, match="another 'learning_rate'"):
        train(dataclasses.replace(config, learning_rate=0.1), run)


def test_llama_cpp_says_what_transformers_says(adapter: Path, tmp_path: Path) -> None:
    result = verify(ExportRequest(adapter, tmp_path / "model.gguf", threads=1), PROMPTS, lambda _line: None)
    assert result.equal == result.prompts == len(PROMPTS), result.differing
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_would_say_something_else_is_seen(adapter: Path, tmp_path: Path) -> None:
    with Exporter(ExportRequest(adapter, tmp_path / "model.gguf", kind="f32", threads=1), print) as exporter:
        model, tokenizer = exporter.merged.model, exporter.merged.tokenizer
        said = greedy_transformers(model, tokenizer, TEMPLATE, PROMPTS[:2])
        prompt = TEMPLATE.prompt_ids(tokenizer, PROMPTS[0])
        assert would_say(model, prompt, said.answers[0])
        assert not would_say(model, prompt, (*said.answers[0][:3], 5, *said.answers[0][4:]))


def test_an_export_carries_its_template_and_commit(adapter: Path, config: SFTConfig, tmp_path: Path) -> None:
    out = export(ExportRequest(adapter, tmp_path / "model.gguf", kind="q8_0", threads=1))
    assert read_template(out) == TEMPLATE
    reader = open_gguf(out)
    assert text_value(reader, "posi.training_commit") == (read_note(adapter).commit or "unknown")
    base = open_gguf(Path(config.base))
    assert (
        reader.get_field("tokenizer.ggml.tokens").contents()
        == base.get_field("tokenizer.ggml.tokens").contents()
    )
    assert [path.name for path in tmp_path.iterdir()] == ["model.gguf"]


def test_the_adapter_alone_gives_the_merged_models_text(
    adapter: Path, config: SFTConfig, tmp_path: Path
) -> None:
    import llama_cpp

    lora = tmp_path / "lora.gguf"
    merged = export(ExportRequest(adapter, tmp_path / "merged.gguf", kind="f32", lora_out=lora, threads=1))
    expected = greedy_llama_cpp(merged, PROMPTS[:4], threads=1).texts
    model = llama_cpp.Llama(config.base, lora_path=str(lora), n_ctx=256, n_threads=1, verbose=False)
    found = []
    for prompt in PROMPTS[:4]:
        middle = model.tokenize(prompt.encode(), add_bos=False, special=False)
        ids = [
            *model.tokenize(TEMPLATE.prefix.encode(), add_bos=False, special=True),
            *middle,
            *model.tokenize(TEMPLATE.suffix.encode(), add_bos=False, special=True),
        ]
        answer: list[int] = []
        for token in model.generate(ids, temp=0.0, repeat_penalty=1.0):
            if token == model.token_eos() or len(answer) >= answer_limit(len(middle)):
                break
            answer.append(token)
        found.append(model.detokenize(answer).decode("utf-8", "replace"))
    model.close()
    assert found == list(expected)


def test_every_type_can_be_written_and_compared(adapter: Path, tmp_path: Path) -> None:
    names = [name for name in TYPES if name != "f32"]
    request = ExportRequest(adapter, tmp_path / "model.gguf", calibration=PROMPTS[:4], threads=1)
    rows = compare(request, PROMPTS[:2], names, LetterEncoder(), lambda _line: None)
    assert [row.name for row in rows] == names
    sizes = {row.name: row.megabytes for row in rows}
    assert sizes["q4_0"] < sizes["q8_0"] < sizes["f16"]
    assert rows[0].cosine > 0.9
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_fails_leaves_the_old_file(adapter: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.gguf"
    out.write_bytes(b"the old model")
    with pytest.raises(UsageError, match="--calibration"):
        export(ExportRequest(adapter, out, kind="q4_0"))
    with pytest.raises(UsageError, match="unknown type 'q3'"):
        export(ExportRequest(adapter, out, kind="q3"))
    broken = tmp_path / "adapter"
    shutil.copytree(adapter, broken)
    (broken / "adapter_model.safetensors").write_bytes(b"cut off")
    with pytest.raises(ModelFileError, match="does not fit"):
        export(ExportRequest(broken, out, kind="q8_0"))
    (broken / "posi.json").unlink()
    with pytest.raises(ModelFileError, match=r"posi\.json"):
        export(ExportRequest(broken, out, kind="q8_0"))
    assert out.read_bytes() == b"the old model"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "model.gguf"]


def test_a_base_of_transformers_files_goes_through_the_converter(
    adapter: Path, config: SFTConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from posi.trainer.base import load_base

    base = load_base(config.base, dtype=torch.float32)
    folder = tmp_path / "base"
    base.model.save_pretrained(folder)
    base.tokenizer.save_pretrained(folder)
    monkeypatch.setenv("PATH", str(tmp_path))
    request = ExportRequest(adapter, tmp_path / "model.gguf", kind="f32", base=str(folder), threads=1)
    with pytest.raises(ModelFileError, match="--converter"):
        export(request)
    # Stands in for llama.cpp's script: it is called as that one is, and answers with the skeleton of this model.
    script = tmp_path / "convert_hf_to_gguf.py"
    script.write_text(
        "import shutil, sys\n"
        "source, flag, out, kind, width = sys.argv[1:]\n"
        "assert (flag, kind, width) == ('--outfile', '--outtype', 'f32'), sys.argv\n"
        f"shutil.copyfile({config.base!r}, out)\n"
    )
    with Exporter(ExportRequest(**{**vars(request), "converter": script}), lambda _line: None) as exporter:
        texts = greedy_llama_cpp(exporter.unquantised, PROMPTS[:3], threads=1).texts
        merged = exporter.merged
        assert texts == greedy_transformers(merged.model, merged.tokenizer, TEMPLATE, PROMPTS[:3]).texts
    script.write_text("raise SystemExit('cannot read config')\n")
    with pytest.raises(ModelFileError, match="cannot read config"):
        export(ExportRequest(**{**vars(request), "converter": script}))
