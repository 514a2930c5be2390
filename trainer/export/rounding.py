"""Rounding onto llama.cpp's Q4_0 grid that makes up for its own error (GPTQ, Frantar et al. 2022).

Q4_0 holds 32 neighbouring weights of a row as codes -8..7 times one float16 scale. llama.cpp rounds every weight by
itself. Here a row is rounded from left to right, and each weight's error is passed on to the weights not yet
rounded so that the layer's OUTPUT on calibration inputs changes least. The result is float32 that lies on the grid;
`llama_model_quantize` then finds exactly these codes again, since every block has a code -8 from which it
derives the scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

BLOCK = 32
_DAMPING = 0.01
_FACTORS = (1.0, 0.96, 0.92, 0.88, 0.84, 1.04)


@dataclass(frozen=True)
class Grid:
    """A matrix on the grid, and what it was rounded from.

    latent: [out, in], each weight as it stood (other weights' errors included) when it was rounded. scales:
    [out, in / 32]. anchored: [out, in], whether the weight has to have code -8, so that its block's scale is found
    again; one a block, none in a block of zeros.
    """

    latent: Tensor
    scales: Tensor
    anchored: Tensor

    def rounded(self) -> Tensor:
        """The weights [out, in] on the grid."""
        return on_grid(self.latent, self.scales, self.anchored)


def on_grid(latent: Tensor, scales: Tensor, anchored: Tensor) -> Tensor:
    """Each weight of `latent` at the nearest code of its block, see `Grid`; float32 [out, in]."""
    wide = scales.repeat_interleave(BLOCK, dim=1)
    codes = (latent / wide).round().clamp(-8, 7)
    return torch.where(anchored, torch.full_like(codes, -8.0), codes) * wide


def round_to_q4_0(weight: Tensor, second_moment: Tensor) -> Grid:
    """Round `weight` [out, in] (in a multiple of 32) given the sum of x xᵀ over inputs x, [in, in]."""
    moment = second_moment.double()
    diagonal = moment.diagonal()
    diagonal[diagonal == 0] = 1.0
    diagonal += _DAMPING * diagonal.mean()
    # Upper Cholesky factor of the inverse: row j says how the error of weight j is spread over those after it.
    spread = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(moment)), upper=True).float()
    left = weight.clone().float()
    latent = torch.empty_like(left)
    anchored = torch.zeros_like(left, dtype=torch.bool)
    scales: list[Tensor] = []
    for start in range(0, weight.shape[1], BLOCK):
        block = left[:, start : start + BLOCK].clone()
        rows = spread[start : start + BLOCK]
        scale, largest = block_scale(block, rows.diagonal(offset=start))
        scales.append(scale)
        errors = torch.empty_like(block)
        for column in range(BLOCK):
            codes = (block[:, column] / scale).round().clamp(-8, 7)
            codes = torch.where(largest == column, torch.full_like(codes, -8.0), codes)
            latent[:, start + column] = block[:, column]
            anchored[:, start + column] = largest == column
            error = (block[:, column] - codes * scale) / rows[column, start + column]
            block[:, column + 1 :] -= error[:, None] * rows[column, start + column + 1 : start + BLOCK]
            errors[:, column] = error
        left[:, start + BLOCK :] -= errors @ rows[:, start + BLOCK :]
    return Grid(latent, torch.stack(scales, dim=1), anchored)


def block_scale(block: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
    """Scale [out] of a block [out, 32], and the index of the weight that gets code -8, the largest by magnitude.

    llama.cpp lets that weight have no error. Of some scales around that one, the one with the least error is
    taken; errors weigh 1 / `spread`² [32], as in GPTQ. A block of zeros gets a scale of 1 and codes of zero.
    """
    largest = block.abs().argmax(dim=1)
    exact = block.gather(1, largest[:, None]) / -8  # [out, 1]
    forced = torch.arange(block.shape[1]) == largest[:, None]
    scales = torch.stack([(exact * factor).half().float() for factor in _FACTORS])  # [factors, out, 1]
    scales = torch.where(scales == 0, torch.ones_like(scales), scales)
    codes = torch.where(forced, torch.full_like(block, -8.0), (block / scales).round().clamp(-8, 7))
    best = (((block - codes * scales) / spread) ** 2).sum(dim=2).argmin(dim=0)  # [out]
    scale = scales.squeeze(2).gather(0, best[None]).squeeze(0)
    empty = exact.squeeze(1).half() == 0
    return torch.where(empty, torch.ones_like(scale), scale), torch.where(
        empty, -torch.ones_like(largest), largest
    )


@torch.no_grad()
def calibrate(
    model: Any, sequences: Sequence[Sequence[int]], *, on_layer: Callable[[int, int], None] | None = None
) -> dict[str, Grid]:
    """Round every linear layer of a float32 llama-like `model` in place, layer by layer; the grids by module name.

    `sequences` are token sequences as the model meets them in use. Each layer sees inputs that come through the
    layers already rounded, so that later layers make up for earlier ones.
    """
    grids: dict[str, Grid] = {}
    model.set_attn_implementation("sdpa")  # causal without a mask: padding stands right, and moves nothing
    decoder = model.model
    batches = [_Batch(decoder, group) for group in _similar_lengths(sequences, 16)]
    for index, layer in enumerate(decoder.layers):
        linears = {name: part for name, part in layer.named_modules() if isinstance(part, torch.nn.Linear)}
        moments = {name: torch.zeros(part.in_features, part.in_features) for name, part in linears.items()}
        for batch in batches:
            hooks = [
                linear.register_forward_pre_hook(_observer(moments[name], batch.real))
                for name, linear in linears.items()
            ]
            batch.through(layer)
            for hook in hooks:
                hook.remove()
        for name, linear in linears.items():
            grid = round_to_q4_0(linear.weight, moments[name])
            linear.weight.copy_(grid.rounded())
            grids[f"model.layers.{index}.{name}"] = grid
        for batch in batches:
            batch.hidden = batch.through(layer)
        if on_layer:
            on_layer(index + 1, len(decoder.layers))
    return grids


class _Batch:
    """Hidden states of some sequences on their way through the layers; `real` [batch, length] marks no padding."""

    def __init__(self, decoder: Any, sequences: Sequence[Sequence[int]]) -> None:
        longest = max(len(sequence) for sequence in sequences)
        ids = torch.tensor([[*sequence, *[0] * (longest - len(sequence))] for sequence in sequences])
        self.real = torch.tensor(
            [[place < len(sequence) for place in range(longest)] for sequence in sequences]
        )
        self.hidden = decoder.embed_tokens(ids)
        self._positions = torch.arange(longest)[None]
        self._rotary = decoder.rotary_emb(self.hidden, self._positions)

    def through(self, layer: Any) -> Tensor:
        out = layer(self.hidden, position_ids=self._positions, position_embeddings=self._rotary)
        hidden: Tensor = out[0] if isinstance(out, tuple) else out
        return hidden


def _observer(moment: Tensor, real: Tensor) -> Callable[[Any, tuple[Tensor, ...]], None]:
    def observe(_module: Any, inputs: tuple[Tensor, ...]) -> None:
        seen = inputs[0][real]
        moment.addmm_(seen.T, seen)

    return observe


def _similar_lengths(sequences: Sequence[Sequence[int]], size: int) -> list[list[Sequence[int]]]:
    ordered = sorted(sequences, key=len)
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]
