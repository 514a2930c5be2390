"""TRL's DPOTrainer for pairs that are tokens already, in batches of similar length."""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from torch.utils.data import Sampler
from trl import DPOTrainer

from .sft.trainer import SimilarLengths


class RewriterDPOTrainer(DPOTrainer):
    """DPOTrainer that keeps `prompt_ids`, `chosen_ids` and `rejected_ids` as they come.

    Padding is kept small by drawing batches of similar length, as in SFT.
    """

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int]:
        rows: Any = train_dataset if train_dataset is not None else self.train_dataset
        lengths = [
            len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"])) for row in rows
        ]
        return SimilarLengths(lengths, self.args.train_batch_size, self.args.seed)
