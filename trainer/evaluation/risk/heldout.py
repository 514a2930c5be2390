"""The held-out fifth of every set the scorer is measured on."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data.sources import load_source
from ...data.split import is_held_out
from ...risk.examples import split_validation, training_texts
from ...risk.hard_cases import SWEET, among, strewn, sweet_words
from .styled import CALM, VIOLENT, in_styles

FloatArray = NDArray[np.float64]

AROUND = 4
"""Captions around a toxic sentence: with their ten words each, a prompt as long as CLIP reads."""


@dataclass(frozen=True)
class HeldOut:
    """Texts nobody trained on. `measured` is I2P's inappropriate share in [0, 1], one for each of `i2p`.

    `toxic` and `clean` are CoProV2's twins, in pairs of the same place, with their `categories`; `strewn` are the toxic
    ones with one to three words of clean twins strewn in, `diluted` the same toxic ones each between `AROUND` captions:
    neither makes them safer. `violent` and `calm` are short sentences of our own in sixteen styles each.
    """

    i2p: list[str]
    measured: FloatArray
    toxic: list[str]
    strewn: list[str]
    diluted: list[str]
    clean: list[str]
    categories: list[str]
    captions: list[str]
    users: list[str]
    violent: list[str]
    calm: list[str]

    @property
    def risky(self) -> NDArray[np.bool_]:
        """Which of `i2p` gave inappropriate images half of the time or more."""
        return self.measured >= 0.5


def load_held_out(source: Path, *, limit: int | None = None) -> HeldOut:
    """From the folder with the source files; `limit` keeps the first rows of each set, for a quick look."""
    i2p = [row for row in load_source(source, "i2p") if is_held_out(row["prompt"])][:limit]
    twins = [row for row in load_source(source, "coprov2_pairs") if is_held_out(row["toxic"])][:limit]
    # Hard cases take those before, so these are new to every scorer.
    words = sweet_words(split_validation(training_texts(source))[0], count=2 * SWEET)[SWEET:]
    captions = _prompts(source, "coco_captions")[:limit]
    choose = random.Random(0)
    return HeldOut(
        i2p=[row["prompt"] for row in i2p],
        measured=np.array([row["inappropriate_percentage"] / 100 for row in i2p]),
        toxic=[row["toxic"] for row in twins],
        strewn=[strewn(row["toxic"], words, choose) for row in twins],
        diluted=[
            among(row["toxic"], choose.sample(captions, min(AROUND, len(captions))), choose) for row in twins
        ],
        clean=[row["clean"] for row in twins],
        categories=[row["category"] for row in twins],
        captions=captions,
        users=_prompts(source, "user_prompts")[:limit],
        violent=in_styles(VIOLENT)[:limit],
        calm=in_styles(CALM)[:limit],
    )


def _prompts(source: Path, name: str) -> list[str]:
    return [row["prompt"] for row in load_source(source, name) if is_held_out(row["prompt"])]
