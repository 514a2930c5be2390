"""TRL's SFTTrainer with a head that sees the answers alone, and with batches of similar length."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.data import Dataset, Sampler
from transformers.trainer_pt_utils import LengthGroupedSampler
from trl import SFTTrainer

from .dataset import IGNORED


class RewriterTrainer(SFTTrainer):  # type: ignore[misc]
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
        """Mean cross-entropy of the answer tokens, over `num_items_in_batch` where gradients accumulate."""
        hidden = self._backbone()(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
        ).last_hidden_state
        labels = inputs["labels"][:, 1:]
        answered = labels != IGNORED
        logits = self._head()(hidden[:, :-1][answered]).float()  # [answer tokens, vocabulary]
        targets = labels[answered]
        total = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
        loss = total / (num_items_in_batch if num_items_in_batch is not None else targets.numel())
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
        generator = torch.Generator().manual_seed(self.args.seed)
        return LengthGroupedSampler(
            self.args.train_batch_size * self.args.gradient_accumulation_steps,
            lengths=list(dataset["length"]),
            generator=generator,
        )
