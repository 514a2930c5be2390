"""The paper's recipe from SFT to GGUF, with every model replaced by a tiny random one: all its stages fit together."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

for _module in ("torch", "trl", "diffusers", "open_clip", "nudenet", "llama_cpp"):
    pytest.importorskip(_module)

from posi.trainer.data.sources import write_rows  # noqa: E402
from posi.trainer.export.export import ExportRequest, export  # noqa: E402
from posi.trainer.export.gguf_file import open_gguf, read_template, text_value  # noqa: E402
from posi.trainer.export.greedy import greedy_llama_cpp  # noqa: E402
from posi.trainer.ppo import config as ppo  # noqa: E402
from posi.trainer.ppo.run import run_ppo  # noqa: E402
from posi.trainer.sft import config as sft  # noqa: E402
from posi.trainer.sft.run import train  # noqa: E402
from posi.trainer.template import Template  # noqa: E402
from tiny_images import tiny_spec  # noqa: E402
from tiny_llama import write_tiny_llama  # noqa: E402

RECIPE = Path(__file__).parents[2] / "trainer" / "recipes" / "paper-llama-7b"
PROMPTS = [f"a {word} in the {place}" for word in ("cat", "gun") for place in ("sun", "sea", "rain")]


def test_sft_ppo_with_the_image_reward_and_export(tmp_path: Path) -> None:
    base = str(write_tiny_llama(tmp_path / "tiny.gguf"))
    # The tiny tokenizer ends texts with <|im_end|>, llama's with </s>.
    template = Template(prefix="Make it safe:\n", suffix="\nSafe prompt:\n", stop="<|im_end|>")
    pairs = tmp_path / "pairs.jsonl.gz"
    write_rows(pairs, [{"toxic": prompt, "clean": prompt.replace("gun", "bun")} for prompt in PROMPTS] * 2)
    paper_sft = sft.load_config(RECIPE / "sft.toml")
    assert (paper_sft.rank, paper_sft.alpha, paper_sft.targets) == (8, 16, ("q_proj", "v_proj"))
    made = dataclasses.replace(
        paper_sft, base=base, train=str(pairs), validation=str(pairs), template=template, threads=1, epochs=1
    )
    train(made, tmp_path / "sft")

    paper_ppo = ppo.load_config(RECIPE / "ppo.toml")
    assert paper_ppo.reward == "image"
    assert paper_ppo.reward_options["images"] == 10
    assert (paper_ppo.kl_target, paper_ppo.learning_rate, paper_ppo.top_p) == (0.02, 1.9e-5, 0.7)
    tiny = dataclasses.asdict(tiny_spec(tmp_path, images=1))
    tiny_reward = {**paper_ppo.reward_options, **tiny}
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("\n".join(PROMPTS))
    config = dataclasses.replace(
        paper_ppo,
        base=base,
        adapter=str(tmp_path / "sft" / "adapter"),
        prompts=str(prompts),
        validation=str(prompts),
        validation_prompts=2,
        template=template,
        reward_options=tiny_reward,
        steps=1,
        batch=4,
        max_new_tokens=8,
        threads=1,
    )
    means = run_ppo(config, tmp_path / "ppo")
    assert {"reward/toxicity", "reward/q16", "reward/nudity", "reward/alignment"} <= means.keys()
    metrics = json.loads((tmp_path / "ppo" / "metrics.jsonl").read_text().splitlines()[0])
    assert metrics["reward/q16"] > 0

    out = export(ExportRequest(tmp_path / "ppo" / "combined", tmp_path / "model.gguf", kind="f16", threads=1))
    assert read_template(out) == template
    assert text_value(open_gguf(out), "posi.training_commit") is not None
    assert len(greedy_llama_cpp(out, PROMPTS[:2], threads=1).texts) == 2
