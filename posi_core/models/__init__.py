"""Finds, verifies and downloads model files; the shipped ones are pinned in `models/manifest.json`."""

from __future__ import annotations

from .dirs import cache_dir, data_dir, shipped_dir
from .files import Located, find, locate, verify
from .manifest import Entry, Manifest, load_manifest, update_manifest
from .pull import pull

__all__ = [
    "Entry",
    "Located",
    "Manifest",
    "cache_dir",
    "data_dir",
    "find",
    "load_manifest",
    "locate",
    "pull",
    "shipped_dir",
    "update_manifest",
    "verify",
]
