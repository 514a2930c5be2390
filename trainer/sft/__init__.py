"""Supervised fine-tuning of the rewriter. Read in this order: `config`, `dataset`, `trainer`, `run`."""
