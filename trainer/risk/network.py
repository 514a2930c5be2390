"""The scorer's network: encoder, heads, and the calibration that turns their logits into the outputs."""

from __future__ import annotations

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
        return self.heads(self.dropout(mean))  # type: ignore[no-any-return]


class CalibratedRisk(nn.Module):
    """Head logits -> probabilities [batch, len(OUTPUTS)]: what is exported.

    The overall logit is an affine mix of `share` and `gate`, each category's an affine map of its own head
    (Platt 1999). `mix` holds (share, gate, offset) for the overall output, then (slope, offset) a category.
    """

    def __init__(self, network: RiskNetwork, mix: list[float]) -> None:
        super().__init__()
        self.network = network
        weight = torch.zeros(len(OUTPUTS), len(HEADS))
        bias = torch.zeros(len(OUTPUTS))
        weight[0, HEADS.index("share")], weight[0, HEADS.index("gate")], bias[0] = mix[:3]
        for number, name in enumerate(CATEGORIES):
            weight[number + 1, HEADS.index(name)] = mix[3 + 2 * number]
            bias[number + 1] = mix[4 + 2 * number]
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits = self.network(input_ids, attention_mask)
        return torch.sigmoid(nn.functional.linear(logits, self.weight, self.bias))  # type: ignore[arg-type]
