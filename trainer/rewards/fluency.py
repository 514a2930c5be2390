"""How much less a plain language model expects a rewrite than the prompt it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .protocol import Scores

if TYPE_CHECKING:
    import torch

FREE = 0.25
"""Nats a token that an edit may cost: a rarer word in place of a common one is no fault."""
SPAN = 1.0
"""Nats a token beyond `FREE` that count as wholly disfluent."""
_MOST_TOKENS = 96
_BATCH = 32


class Fluency:
    """Log-likelihood of texts under the language model that the rewriter started from, which no reward has bent.

    A policy that is paid for safe words puts them where they mean nothing ("supportive am I doing with my life"):
    neither the scorer nor the similarity sees that, the likelihood does. A prompt may be as odd as it likes, since
    only the difference counts.
    """

    def __init__(self, source: str) -> None:
        """Load the base model `source` (see `load_base`), on the GPU where there is one. Raises ModelFileError."""
        import torch

        from ..base import load_base
        from ..precision import native_dtype

        base = load_base(source, dtype=native_dtype())
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model: Any = base.model.eval().requires_grad_(False).to(self._device)
        self._tokenizer: Any = base.tokenizer
        self._known: dict[str, float] = {}

    def disfluent(self, originals: Sequence[str], rewrites: Sequence[str]) -> Scores:
        """In [0, 1]: the fall of the mean log-likelihood from original to rewrite, beyond `FREE`, over `SPAN`."""
        new = [text for text in dict.fromkeys(originals) if text not in self._known]
        self._known.update(zip(new, self.likelihoods(new), strict=True))
        before = np.array([self._known[text] for text in originals], np.float32)
        found: Scores = np.clip((before - self.likelihoods(rewrites) - FREE) / SPAN, 0.0, 1.0)
        return found

    def likelihoods(self, texts: Sequence[str]) -> Scores:
        """Mean log p of each text's first tokens, each given those before it, in nats; 0 for an empty text."""
        ids = [self._tokenizer(text, add_special_tokens=False)["input_ids"][:_MOST_TOKENS] for text in texts]
        found = np.zeros(len(ids), np.float32)
        order = sorted((row for row in range(len(ids)) if ids[row]), key=lambda row: len(ids[row]))
        for start in range(0, len(order), _BATCH):
            group = order[start : start + _BATCH]
            found[group] = self._means([ids[row] for row in group]).cpu().numpy()
        return found

    def _means(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        import torch

        from ..ppo.formulas import token_logprobs

        begin = self._tokenizer.bos_token_id
        if begin is None:
            begin = self._tokenizer.eos_token_id
        longest = max(map(len, rows))
        tokens = torch.full((len(rows), longest + 1), begin)
        mask = torch.zeros(len(rows), longest + 1)
        for place, row in enumerate(rows):
            tokens[place, 1 : len(row) + 1] = torch.tensor(row)
            mask[place, : len(row) + 1] = 1
        tokens, mask = tokens.to(self._device), mask.to(self._device)
        with torch.no_grad():
            logits = self._model(input_ids=tokens, attention_mask=mask).logits[:, :-1]
        chosen = token_logprobs(logits, tokens[:, 1:]) * mask[:, 1:]
        return chosen.sum(1) / mask[:, 1:].sum(1)
