"""Fits the category heads to convergence on the finished encoder: a few hundred steps leave them alike."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from ...posi_core.verdict import CATEGORIES
from ..precision import autocast
from .batches import by_length, pad, tokenise
from .examples import HEADS, Example
from .network import RiskNetwork


@torch.no_grad()
def mean_states(network: RiskNetwork, tokenizer: Tokenizer, texts: Sequence[str], *, bf16: bool) -> Tensor:
    """The encoder's mean of each text [texts, width], in evaluation mode."""
    network.eval()
    rows = tokenise(tokenizer, texts)
    states = torch.zeros(len(rows), network.encoder.config.hidden_size)
    with autocast(enabled=bf16):
        for group in by_length([len(row) for row in rows], 64):
            states[group] = network.encoder(*pad([rows[row] for row in group])).float()
    return states


def fit_category_heads(
    network: RiskNetwork, states: Tensor, examples: Sequence[Example], *, strength: float = 1e-4
) -> None:
    """Replace the category heads by the minimum of weighted cross-entropy plus `strength` times |weights|^2.

    `states` are the `mean_states()` of the examples. Convex, so the start does not matter.
    """
    columns = [HEADS.index(name) for name in CATEGORIES]
    targets = torch.tensor([row.targets for row in examples])[:, columns]
    weights = torch.tensor([row.weights for row in examples])[:, columns]
    centre, spread = states.mean(0), states.std(0) + 1e-2
    inputs = (states - centre) / spread
    heads = nn.Linear(inputs.shape[1], len(columns))
    nn.init.zeros_(heads.weight)
    nn.init.zeros_(heads.bias)
    optimizer = torch.optim.LBFGS(heads.parameters(), max_iter=150, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        each = nn.functional.binary_cross_entropy_with_logits(heads(inputs), targets, reduction="none")
        value = (each * weights).sum() / weights.sum() + strength * heads.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    with torch.no_grad():
        scaled = heads.weight / spread
        network.heads.weight[columns] = scaled
        network.heads.bias[columns] = heads.bias - scaled @ centre
