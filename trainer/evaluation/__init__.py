"""Measures what was trained, on texts that no training saw."""
