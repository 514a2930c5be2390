"""The trained model: a policy with a value head, whose reference is the same model without its adapter."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn


class PolicyWithValue(nn.Module):
    """A causal LM under a LoRA adapter, and a linear value head on its last hidden states.

    `lm` is a peft model whose base weights are frozen. The value head starts at zero, so that the first advantages
    are the rewards themselves.
    """

    def __init__(self, lm: Any) -> None:
        super().__init__()
        self.lm = lm
        self.value_head = nn.Linear(lm.config.hidden_size, 1, dtype=torch.float32)
        nn.init.zeros_(self.value_head.weight)
        nn.init.zeros_(self.value_head.bias)

    def forward(
        self,
        tokens: Tensor,
        attention: Tensor,
        starts: Tensor,
        length: int,
        temperature: float,
        reference: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Logits and values at the positions that predict the answer.

        tokens, attention: [B, L], right-padded; starts: [B], index of the first answer token; length: T, the longest
        answer. Returns logits [B, T, V] divided by `temperature`, and values [B, T]. Only the answer's positions go
        through the vocabulary head, which is a fifth of this model's work. `reference` switches the adapter off.
        """
        with self.lm.disable_adapter() if reference else nullcontext():
            trunk = self.lm.get_base_model()
            hidden = trunk.model(
                input_ids=tokens, attention_mask=attention, use_cache=False
            ).last_hidden_state
            steps = torch.arange(length, device=tokens.device)
            positions = (starts[:, None] - 1 + steps[None, :]).clamp(max=tokens.shape[1] - 1)
            picked = hidden.gather(1, positions[:, :, None].expand(-1, -1, hidden.shape[-1]))
            logits = trunk.lm_head(picked).float() / temperature
        values = self.value_head(picked.float()).squeeze(-1)
        return logits, values


class RolloutModel:
    """A copy of the model with the adapter merged into its weights: sampling from it costs a quarter less.

    The copy is refreshed from the policy by `sync`; merging into the policy itself would round its bf16 weights a
    little more each time.
    """

    def __init__(self, lm: Any, copy: Any) -> None:
        self.model = copy.eval()
        self._layers = [
            (module, copy.get_submodule(name).weight)
            for name, module in lm.get_base_model().named_modules()
            if hasattr(module, "get_delta_weight")
        ]

    @torch.no_grad()
    def sync(self) -> None:
        """Write base weight + adapter delta into every adapted layer of the copy."""
        for module, weight in self._layers:
            delta = sum(module.get_delta_weight(name).float() for name in module.active_adapters)
            weight.copy_((module.get_base_layer().weight.float() + delta).to(weight.dtype))
