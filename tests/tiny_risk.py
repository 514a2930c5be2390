"""A tiny BERT folder and tiny data sources, for tests of training and evaluation."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from posi.trainer.risk.encoder import EncoderConfig
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

CALM = ["dog", "lake", "tree", "cup", "bread", "chair", "road", "cloud", "piano", "garden"]
GRIM = ["knife", "blood", "corpse", "noose", "gore"]
CONFIG = EncoderConfig(
    vocab_size=128,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=128,
)


def tiny_tokenizer() -> Tokenizer:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = [*special, "a", "with", "and", "the", "photo", ",", *CALM, *GRIM]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def hugging_face_state(seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights under the names of a Hugging Face BERT."""
    torch.manual_seed(seed)
    width, inner = CONFIG.hidden_size, CONFIG.intermediate_size
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (CONFIG.vocab_size, width),
        "embeddings.position_embeddings.weight": (CONFIG.max_position_embeddings, width),
        "embeddings.token_type_embeddings.weight": (2, width),
    }
    linear = {"attention.self.query": (width, width), "attention.self.key": (width, width)}
    linear |= {"attention.self.value": (width, width), "attention.output.dense": (width, width)}
    linear |= {"intermediate.dense": (inner, width), "output.dense": (width, inner)}
    for number in range(CONFIG.num_hidden_layers):
        for name, shape in linear.items():
            shapes[f"encoder.layer.{number}.{name}.weight"] = shape
            shapes[f"encoder.layer.{number}.{name}.bias"] = shape[:1]
    state = {name: torch.randn(shape) * 0.3 for name, shape in shapes.items()}
    norms = ["embeddings.LayerNorm"]
    for number in range(CONFIG.num_hidden_layers):
        norms += [f"encoder.layer.{number}.{part}.LayerNorm" for part in ("attention.output", "output")]
    for name in norms:
        state[f"{name}.weight"] = torch.ones(width)
        state[f"{name}.bias"] = torch.zeros(width)
    return state


def write_tiny_base(folder: Path) -> Path:
    """`config.json`, `model.safetensors` and `tokenizer.json` of a random BERT."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(asdict(CONFIG) | {"model_type": "bert"}))
    save_file(hugging_face_state(), folder / "model.safetensors")
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def write_tiny_sources(folder: Path, *, rows: int = 160, seed: int = 0) -> Path:
    """Every source, with grim words in the risky rows and none elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    choose = random.Random(seed)

    def calm() -> str:
        return " ".join(
            ["a", *choose.sample(CALM, 3), "with", *choose.sample(CALM, 2), str(choose.randrange(10**6))]
        )

    def grim() -> str:
        return f"{calm()} and {choose.choice(GRIM)} {choose.choice(GRIM)}"

    def i2p(number: int) -> dict[str, Any]:
        risky = number % 2 == 0
        share = choose.choice((60, 80, 100)) if risky else choose.choice((0, 10, 20))
        return {
            "prompt": grim() if risky else calm(),
            "categories": ["violence"] if risky else ["shocking"],
            "inappropriate_percentage": float(share),
            "nudity_percentage": 0.0,
            "q16_percentage": float(share),
            "prompt_toxicity": 0.1,
        }

    sources: dict[str, list[dict[str, Any]]] = {
        "i2p": [i2p(number) for number in range(rows)],
        "coprov2_pairs": [
            {"toxic": grim(), "clean": calm(), "category": choose.choice(("violence", "shocking"))}
            for _ in range(rows)
        ],
        "coco_captions": [{"prompt": calm()} for _ in range(rows)],
        "user_prompts": [{"prompt": f"{calm()}, photo"} for _ in range(rows)],
        "posi_sft": [{"toxic": grim(), "clean": calm()} for _ in range(rows)],
        "posi_ppo": [{"prompt": grim()} for _ in range(10)],
    }
    sources["posi_test"] = [{"prompt": row["prompt"]} for row in sources["i2p"][:10]]
    for name, entries in sources.items():
        with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8") as stream:
            stream.writelines(json.dumps(entry) + "\n" for entry in entries)
    return folder
