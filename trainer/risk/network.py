"""The scorer's network: encoder, heads, and the calibration that turns their logits into the outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...posi_core.verdict import CATEGORIES
from .encoder import Encoder
from .examples import HEADS

OUTPUTS: tuple[str, ...] = ("overall", *CATEGORIES)


class RiskNetwork(nn.Module):
    """Token ids and mask [batch, tokens] -> logits of the heads [batch, len(HEADS)]."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(0.1)
        self.heads = nn.Linear(encoder.config.hidden_size, len(HEADS))
        # All seeds start from the same point, so that their weights may be averaged.
        nn.init.zeros_(self.heads.weight)
        nn.init.zeros_(self.heads.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.judge(self.encoder(input_ids, attention_mask))

    def judge(self, mean: Tensor) -> Tensor:
        """Logits from the encoder's mean [batch, width]."""
        return self.heads(self.dropout(mean))


@dataclass(frozen=True)
class Calibration:
    """An affine map from the heads' logits to the outputs' logits.

    `weight[output][head]` and `bias[output]`, in the order of OUTPUTS and HEADS.
    """

    weight: Sequence[Sequence[float]]
    bias: Sequence[float]


class CalibratedRisk(nn.Module):
    """Token ids and mask -> probabilities [batch, len(OUTPUTS)]: what is exported."""

    def __init__(self, network: RiskNetwork, calibration: Calibration) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("weight", torch.tensor(calibration.weight))
        self.register_buffer("bias", torch.tensor(calibration.bias))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits = self.network(input_ids, attention_mask)
        return torch.sigmoid(nn.functional.linear(logits, self.weight, self.bias))  # type: ignore[arg-type]
