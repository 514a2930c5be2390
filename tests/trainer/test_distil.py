"""A rounded model is trained back towards the unrounded one, and stays on llama.cpp's grid."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from posi.trainer.export.distil import Answer, distil
from posi.trainer.export.rounding import Grid, calibrate
from q4_0_grid import plain_q4_0
from tiny_lm import tiny_llama

ANSWERS = [
    Answer(
        [2 + (7 * row + place) % 50 for place in range(5 + row % 3)],
        [3 + (5 * row + place) % 40 for place in range(9)],
    )
    for row in range(48)
]


def divergence(model: Any, teacher: Any, answers: Sequence[Answer]) -> float:
    """KL(teacher || model) in nats a token of the answers, one answer at a time, in float32."""
    losses = []
    with torch.no_grad():
        for answer in answers:
            ids = torch.tensor([answer.tokens])
            span = slice(len(answer.prompt) - 1, len(answer.tokens) - 1)
            wanted, given = (each(ids).logits[0, span].log_softmax(-1) for each in (teacher, model))
            losses.append((wanted.exp() * (wanted - given)).sum(-1).mean())
    return float(torch.stack(losses).mean())


@pytest.fixture
def rounded() -> tuple[Any, Any, dict[str, Grid]]:
    teacher = tiny_llama(hidden=64).eval()
    model = copy.deepcopy(teacher)
    return model, teacher, calibrate(model, [answer.tokens for answer in ANSWERS[:16]])


def test_the_answers_come_closer_to_the_unrounded_models(rounded: tuple[Any, Any, dict[str, Grid]]) -> None:
    model, teacher, grids = rounded
    before = divergence(model, teacher, ANSWERS)
    losses: list[float] = []
    distil(
        model,
        teacher,
        grids,
        ANSWERS,
        epochs=6,
        learning_rate=2e-3,
        on_step=lambda *step: losses.append(step[2]),
    )
    assert len(losses) == 6 * len(ANSWERS) // 8
    assert divergence(model, teacher, ANSWERS) < 0.7 * before


def test_every_layer_is_on_the_grid_that_llama_cpp_finds(rounded: tuple[Any, Any, dict[str, Grid]]) -> None:
    model, teacher, grids = rounded
    before = {name: model.get_submodule(name).weight.clone() for name in grids}
    distil(model, teacher, grids, ANSWERS, learning_rate=2e-3)
    assert len(grids) == 2 * 7
    for name in grids:
        weight = model.get_submodule(name).weight.detach()
        assert torch.equal(plain_q4_0(weight), weight)
    assert any(not torch.equal(model.get_submodule(name).weight, old) for name, old in before.items())


def test_the_teacher_and_the_rest_of_the_model_stay(rounded: tuple[Any, Any, dict[str, Grid]]) -> None:
    model, teacher, grids = rounded
    before = copy.deepcopy(teacher.state_dict())
    distil(model, teacher, grids, ANSWERS, learning_rate=2e-3)
    for name, weight in teacher.state_dict().items():
        assert torch.equal(weight, before[name])
    linears = {f"{name}.weight" for name in grids}
    for name, weight in model.state_dict().items():
        assert name in linears or torch.equal(weight, before[name])


def test_a_loss_that_is_no_number_stops_it(rounded: tuple[Any, Any, dict[str, Grid]]) -> None:
    model, teacher, grids = rounded
    teacher.model.norm.weight.data.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="step 1 is nan"):
        distil(model, teacher, grids, ANSWERS)
