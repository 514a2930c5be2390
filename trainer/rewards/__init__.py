"""Rewards of a rewrite: one protocol, judged from text alone, from images, or from a mixture."""
