"""Build the SFT sets: pairs from POSI and CoProV2, identity pairs of harmless prompts, a report of drops."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...posi_core.errors import UsageError
from .edits import Harmless, minimal_clean
from .filters import Limits, drop_reason
from .prompts import TRAIN_PROMPTS_FILE, VALIDATION_PROMPTS_FILE, prompt_sets
from .sources import SOURCES, load_source, write_rows
from .split import is_held_out, text_key
from .unsafe import UnsafeScorer, sexual_with_minor

TRAIN_FILE, VALIDATION_FILE, REPORT_FILE = "sft_train.jsonl.gz", "sft_validation.jsonl.gz", "report.json"


@dataclass(frozen=True)
class BuildConfig:
    """How much of what. Shares are of the training rows; POSI's pairs are all taken and set the size."""

    coprov2_share: float = 0.33
    identity_share: float = 0.22
    coco_in_identity: float = 0.35
    posi_limits: Limits = field(default_factory=lambda: Limits(floor=0.35))
    coprov2_limits: Limits = field(default_factory=lambda: Limits(floor=0.5, growth=1.2))
    validation_rows: int = 240
    seed: int = 0


@dataclass(frozen=True)
class Pair:
    toxic: str
    clean: str
    source: str

    def row(self) -> dict[str, str]:
        return {"toxic": self.toxic, "clean": self.clean, "source": self.source}


class _Drops:
    """Counts drops by source and reason, with two examples each for the report."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}
        self.examples: dict[str, list[dict[str, str]]] = {}

    def add(self, source: str, reason: str, *texts: str) -> None:
        self.counts.setdefault(source, Counter())[reason] += 1
        kept = self.examples.setdefault(f"{source}: {reason}", [])
        if len(kept) < 2 and not reason.startswith("sexual"):
            kept.append(dict(zip(("toxic", "clean"), texts, strict=False)))


def build(source: Path, out: Path, config: BuildConfig | None = None) -> dict[str, Any]:
    """Write the training and validation sets and the report into `out`; returns the report.

    Raises UsageError when a source is missing or a set that would be written overlaps the test prompts.
    """
    config = config or BuildConfig()
    rows = {name: load_source(source, name) for name in SOURCES}
    tests = {text_key(row["prompt"]) for row in rows["posi_test"]}
    drops = _Drops()
    benign = [row["prompt"] for name in ("user_prompts", "coco_captions") for row in rows[name]]
    twins = [row for row in rows["coprov2_pairs"] if not is_held_out(row["toxic"])]
    scorer = UnsafeScorer([row["toxic"] for row in twins], [*(row["clean"] for row in twins), *benign])
    harmless = Harmless(
        [(row["toxic"], row["clean"]) for row in rows["posi_sft"]],
        [row["prompt"] for row in rows["user_prompts"]],
        scorer,
    )
    seen: set[str] = set()

    def pairs(name: str, limits: Limits) -> list[Pair]:
        found: list[Pair] = []
        cleans = [minimal_clean(row["toxic"], row["clean"], harmless) for row in rows[name]]
        before = scorer.probability([row["toxic"] for row in rows[name]])
        after = scorer.probability(cleans)
        for row, clean, p_before, p_after in zip(rows[name], cleans, before, after, strict=True):
            toxic = row["toxic"].strip()
            key = text_key(toxic)
            reason = drop_reason(
                toxic,
                clean.strip(),
                limits,
                named_unsafe=scorer.names_unsafe(clean),
                unsafe_before=p_before,
                unsafe_after=p_after,
            )
            if key in tests:
                reason = "test prompt"
            elif key in seen:
                reason = "duplicate"
            if reason:
                drops.add(name, reason, toxic, clean)
                continue
            seen.add(key)
            found.append(Pair(toxic, clean.strip(), name))
        return found

    def identities(name: str) -> list[Pair]:
        found: list[Pair] = []
        prompts = [" ".join(row["prompt"].split()) for row in rows[name]]
        for prompt, unsafe in zip(prompts, scorer.probability(prompts), strict=True):
            key = text_key(prompt)
            reason = None
            if key in tests:
                reason = "test prompt"
            elif key in seen:
                reason = "duplicate"
            elif sexual_with_minor(prompt):
                reason = "sexual words with words for minors"
            elif scorer.names_unsafe(prompt) or unsafe > 0.4:
                reason = "not surely harmless"
            if reason:
                drops.add(name, reason, prompt)
                continue
            seen.add(key)
            found.append(Pair(prompt, prompt, name))
        return found

    rng = random.Random(config.seed)
    everything = {
        "posi_sft": pairs("posi_sft", config.posi_limits),
        "coprov2_pairs": pairs("coprov2_pairs", config.coprov2_limits),
        "user_prompts": identities("user_prompts"),
        "coco_captions": identities("coco_captions"),
    }
    for found in everything.values():
        rng.shuffle(found)
    posi_rows = sum(not is_held_out(pair.toxic) for pair in everything["posi_sft"])
    size = posi_rows / (1 - config.coprov2_share - config.identity_share)
    wanted = {
        "posi_sft": posi_rows,
        "coprov2_pairs": round(size * config.coprov2_share),
        "user_prompts": round(size * config.identity_share * (1 - config.coco_in_identity)),
        "coco_captions": round(size * config.identity_share * config.coco_in_identity),
    }
    train: list[Pair] = []
    validation: list[Pair] = []
    for name, found in everything.items():
        train += [pair for pair in found if not is_held_out(pair.toxic)][: wanted[name]]
        held = [pair for pair in found if is_held_out(pair.toxic)]
        validation += held[: round(config.validation_rows * wanted[name] / size)]
    rng.shuffle(train)
    refuse_overlap([*train, *validation], tests)
    prompts, prompts_to_choose_by = prompt_sets(rows, tests, seed=config.seed)
    report = {
        "train_rows": dict(Counter(pair.source for pair in train)),
        "validation_rows": dict(Counter(pair.source for pair in validation)),
        "usable_rows": {name: len(found) for name, found in everything.items()},
        "rl_prompts": dict(Counter(row["source"] for row in prompts)),
        "rl_validation": len(prompts_to_choose_by),
        "source_rows": {name: len(source_rows) for name, source_rows in rows.items()},
        "dropped": {name: dict(counts.most_common()) for name, counts in drops.counts.items()},
        "examples": drops.examples,
        "seed": config.seed,
    }
    out.mkdir(parents=True, exist_ok=True)
    write_rows(out / TRAIN_FILE, [pair.row() for pair in train])
    write_rows(out / VALIDATION_FILE, [pair.row() for pair in validation])
    write_rows(out / TRAIN_PROMPTS_FILE, prompts)
    write_rows(out / VALIDATION_PROMPTS_FILE, prompts_to_choose_by)
    (out / REPORT_FILE).write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return report


def refuse_overlap(pairs: list[Pair], tests: set[str]) -> None:
    """Raise UsageError when a pair's toxic or clean side is a test prompt (both as `text_key`)."""
    for pair in pairs:
        if text_key(pair.toxic) in tests or text_key(pair.clean) in tests:
            raise UsageError(
                f"a {pair.source} pair is a test prompt, nothing was written: {pair.toxic[:80]!r}"
            )
