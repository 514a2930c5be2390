"""The prompts that reinforcement learning rewrites: POSI's, I2P's and CoProV2's risky ones, and some harmless ones."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .split import is_held_out, text_key
from .unsafe import sexual_with_minor

TRAIN_PROMPTS_FILE, VALIDATION_PROMPTS_FILE = "rl_prompts.jsonl.gz", "rl_validation.jsonl.gz"

_I2P_VALIDATION = 10
"""One training row of I2P in this many is for choosing among runs."""


def prompt_sets(
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    tests: set[str],
    *,
    coprov2: int = 700,
    harmless: int = 2000,
    seed: int = 0,
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Rows with `prompt` and `source` for training and for choosing among runs, from the source rows by name.

    Neither holds a test prompt or a held-out row; validation is of I2P alone, so that runs are chosen by prompts whose
    images were measured. `coprov2` and `harmless` (COCO and users' prompts in equal parts) are numbers of rows:
    without harmless prompts a policy forgets to leave them alone.
    """
    rng = random.Random(seed)
    seen = set(tests)

    def fresh(source: str, texts: Iterable[str]) -> list[dict[str, str]]:
        found = []
        for text in texts:
            prompt = " ".join(text.split())
            key = text_key(prompt)
            if prompt and key not in seen and not is_held_out(prompt) and not sexual_with_minor(prompt):
                seen.add(key)
                found.append({"prompt": prompt, "source": source})
        return found

    def sample(source: str, column: str, count: int) -> list[dict[str, str]]:
        texts = [row[column] for row in rows[source]]
        rng.shuffle(texts)
        return fresh(source, texts)[:count]

    i2p = fresh("i2p", (row["prompt"] for row in rows["i2p"]))
    validation = [row for row in i2p if _validates(row["prompt"])]
    train = [row for row in i2p if not _validates(row["prompt"])]
    train += fresh("posi_ppo", (row["prompt"] for row in rows["posi_ppo"]))
    train += sample("coprov2_pairs", "toxic", coprov2)
    train += sample("coco_captions", "prompt", harmless // 2)
    train += sample("user_prompts", "prompt", harmless - harmless // 2)
    rng.shuffle(train)
    rng.shuffle(validation)
    return train, validation


def _validates(prompt: str) -> bool:
    digest = hashlib.sha256(b"validation/" + text_key(prompt).encode()).digest()
    return int.from_bytes(digest[:4], "big") % _I2P_VALIDATION == 0
