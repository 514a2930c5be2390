"""The I2P protocol (Schramowski et al. 2023): draw prompts, let the detectors look, report how often they object.

Read in this order: `protocol` (the measures), `run` (drawing and scoring, resumable), `sheets` (contact sheets).
"""
