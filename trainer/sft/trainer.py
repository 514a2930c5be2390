"""TRL's SFTTrainer with a head that sees the answers alone, and with batches of similar length."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import Dataset, Sampler
from trl import SFTTrainer

from .dataset import IGNORED


class RewriterTrainer(SFTTrainer):
    """SFTTrainer, faster where the time goes on a CPU.

    The vocabulary head is a fifth of this model's work and is applied to the answers' positions only; padding is
    kept small by drawing batches of similar length.
    """

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Weighted mean cross-entropy of the answer tokens, over `num_items_in_batch` where gradients accumulate."""
        labels = inputs["labels"][:, 1:]
        answered = labels != IGNORED
        with (
            self.accelerator.autocast()
        ):  # accelerate puts it around the whole model only, which is not called
            hidden = self._backbone()(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
            ).last_hidden_state
            logits = self._head()(hidden[:, :-1][answered]).float()  # [answer tokens, vocabulary]
        targets = labels[answered]
        weights = inputs["weights"][:, 1:][answered]
        losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none") * weights
        loss = losses.sum() / (num_items_in_batch if num_items_in_batch is not None else targets.numel())
        with torch.no_grad():
            accuracy = (logits.argmax(-1) == targets).float().mean().item()
        self._metrics["train" if self.model.training else "eval"]["mean_token_accuracy"].append(accuracy)
        return (loss, {"logits": logits}) if return_outputs else loss

    def _backbone(self) -> Any:
        """The decoder without its head; LoRA lives inside its layers."""
        return self._causal_lm().model

    def _head(self) -> Any:
        return self._causal_lm().get_output_embeddings()

    def _causal_lm(self) -> Any:
        model = self.accelerator.unwrap_model(self.model)
        return model.get_base_model() if hasattr(model, "get_base_model") else model

    def prediction_step(
        self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> tuple[torch.Tensor, None, None]:
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            return self.compute_loss(model, inputs).detach(), None, None

    def _get_train_sampler(self, train_dataset: Dataset[Any] | None = None) -> Sampler[int]:
        dataset: Any = train_dataset if train_dataset is not None else self.train_dataset
        return SimilarLengths(list(dataset["length"]), self.args.train_batch_size, self.args.seed)


class SimilarLengths(Sampler[int]):
    """Indices in an order whose batches hold examples of similar length, the batches themselves in random order.

    Unlike transformers' LengthGroupedSampler, long batches do not come in a row: the lengths of consecutive
    batches are independent. Every epoch (`set_epoch`) draws anew; the same seed and epoch give the same order.
    """

    _POOL = 25  # batches that are drawn together and sorted: fewer mix lengths, more make batches predictable

    def __init__(self, lengths: list[int], batch_size: int, seed: int) -> None:
        self._lengths, self._batch_size, self._seed, self._epoch = lengths, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        rng = random.Random(f"{self._seed}/{self._epoch}")
        order = rng.sample(range(len(self._lengths)), len(self._lengths))
        size = self._batch_size
        batches: list[list[int]] = []
        for start in range(0, len(order), size * self._POOL):
            pool = sorted(
                order[start : start + size * self._POOL], key=self._lengths.__getitem__, reverse=True
            )
            batches += [pool[begin : begin + size] for begin in range(0, len(pool), size)]
        full = [batch for batch in batches if len(batch) == size]
        rng.shuffle(full)  # a short last batch stays last, where the loader expects it
        for batch in [*full, *(batch for batch in batches if len(batch) < size)]:
            yield from batch
