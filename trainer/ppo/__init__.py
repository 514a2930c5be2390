"""Proximal policy optimisation of the rewriter (Schulman et al. 2017, as POSI and TRL's former trainer use it).

Read in this order: `config` (every setting), `formulas` (the mathematics, one function each), `policy`
(adapter, reference and value head), `rollout` (sampling), `step` (one update), `loop` (the run).
"""
