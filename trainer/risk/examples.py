"""Rows the risk scorer learns from: a text, a target for each head, and how much each target counts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...posi_core.verdict import CATEGORIES
from ..data.sources import load_source
from ..data.split import is_held_out, text_key
from .templates import short_sentences

HEADS: tuple[str, ...] = ("share", "gate", "nudity", "q16", *CATEGORIES)
"""What the encoder's heads predict. `share` is I2P's measured percentage; `gate` the same, but with users'
prompts and captions as zeros; the others are the two detectors alone and the seven categories."""

TWIN_RISKY = 0.9
"""Target of CoProV2's toxic sides: nobody measured their images, so short of certainty."""


@dataclass(frozen=True)
class Example:
    """`targets` and `weights` have one entry for each of `HEADS`; weight 0 leaves a head out."""

    text: str
    source: str
    targets: tuple[float, ...]
    weights: tuple[float, ...]


def _example(text: str, source: str, targets: Mapping[str, float], weights: Mapping[str, float]) -> Example:
    return Example(
        text,
        source,
        tuple(targets.get(head, 0.0) for head in HEADS),
        tuple(weights.get(head, 0.0) for head in HEADS),
    )


def i2p_example(row: Mapping[str, Any]) -> Example:
    """Measured shares; a category's target is the share where I2P lists it, for sexual at least the nudity."""
    share = row["inappropriate_percentage"] / 100
    nudity = row["nudity_percentage"] / 100
    targets = {"share": share, "gate": share, "nudity": nudity, "q16": row["q16_percentage"] / 100}
    targets |= {name: share * (name in row["categories"]) for name in CATEGORIES}
    targets["sexual"] = max(targets["sexual"], nudity)
    return _example(row["prompt"], "i2p", targets, dict.fromkeys(HEADS, 1.0))


def risky_example(text: str, source: str, category: str) -> Example:
    """A sentence written to be of one category. It may belong to others too, so their zeros count little."""
    targets = {"share": TWIN_RISKY, "gate": TWIN_RISKY, category: TWIN_RISKY}
    weights = {"share": 1.0, "gate": 1.0} | dict.fromkeys(CATEGORIES, 0.2) | {category: 1.0}
    return _example(text, source, targets, weights)


def benign_example(text: str, source: str) -> Example:
    return _example(text, source, {}, dict.fromkeys(HEADS, 1.0))


def user_example(text: str, share: float, gate: float) -> Example:
    """A user's prompt: nobody measured it. `share` and `gate` are soft targets, the categories are left out."""
    return _example(text, "user", {"share": share, "gate": gate}, {"share": 1.0, "gate": 1.0})


@dataclass(frozen=True)
class TrainingTexts:
    """The training fold of every source, before users' prompts have their soft targets.

    Held-out texts and the paper's test prompts are in none of them.
    """

    i2p: list[dict[str, Any]]
    twins: list[dict[str, Any]]
    captions: list[str]
    users: list[str]


def _distinct(texts: Iterable[str], keep: Callable[[str], bool]) -> list[str]:
    return list({text_key(text): text for text in texts if keep(text)}.values())


def training_texts(source: Path) -> TrainingTexts:
    """Read the training folds from a folder with the source files."""
    test = {text_key(row["prompt"]) for row in load_source(source, "posi_test")}

    def keep(text: str) -> bool:
        return not is_held_out(text) and text_key(text) not in test

    held_twins = [row for row in load_source(source, "coprov2_pairs") if not keep(row["toxic"])]
    known = {text_key(row[side]) for row in held_twins for side in ("toxic", "clean")}
    return TrainingTexts(
        i2p=[row for row in load_source(source, "i2p") if keep(row["prompt"])],
        twins=[
            row
            for row in load_source(source, "coprov2_pairs")
            if keep(row["toxic"]) and not {text_key(row["toxic"]), text_key(row["clean"])} & known
        ],
        captions=_distinct((row["prompt"] for row in load_source(source, "coco_captions")), keep),
        users=_distinct((row["prompt"] for row in load_source(source, "user_prompts")), keep),
    )


def split_validation(texts: TrainingTexts) -> tuple[TrainingTexts, TrainingTexts]:
    """(to fit, to choose and calibrate on): an eighth of the training fold, by a hash of its own."""

    def kept(text: str) -> bool:
        digest = hashlib.sha256(f"validation\0{text_key(text)}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % 8 == 0

    def part(wanted: bool) -> TrainingTexts:
        return TrainingTexts(
            [row for row in texts.i2p if kept(row["prompt"]) == wanted],
            [row for row in texts.twins if kept(row["toxic"]) == wanted],
            [text for text in texts.captions if kept(text) == wanted],
            [text for text in texts.users if kept(text) == wanted],
        )

    return part(False), part(True)


def prompt_examples(texts: TrainingTexts, user_shares: Sequence[float], *, prior: float) -> list[Example]:
    """I2P and users' prompts. A user's prompt gets `prior` times the share that its words predict within I2P.

    Most users' prompts are harmless although they hold the style words of I2P; those that are not hold its
    content words too, and keep a target above zero.
    """
    rows = [i2p_example(row) for row in texts.i2p]
    rows += [
        user_example(text, prior * share, 0.2 * prior * share)
        for text, share in zip(texts.users, user_shares, strict=True)
    ]
    return rows


def sentence_examples(texts: TrainingTexts, *, pairs: int | None = None, short: int = 3) -> list[Example]:
    """CoProV2's twins (the first `pairs` after an even thinning), captions, and `short` sentences of each pattern."""
    step = max(1, len(texts.twins) // pairs) if pairs else 1
    rows: list[Example] = []
    for row in texts.twins[::step]:
        rows.append(risky_example(row["toxic"], "twins", row["category"]))
        rows.append(benign_example(row["clean"], "twins"))
    rows += [benign_example(text, "captions") for text in texts.captions]
    rows += [
        risky_example(text, "short", category) if category else benign_example(text, "short")
        for text, category in short_sentences(each=short)
    ]
    return rows
