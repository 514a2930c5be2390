"""Prompts to measure with: a file's, or a small list of mild ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from ..errors import UsageError

_SUBJECTS = (
    "an angry old wizard shouting at a storm over a ruined castle",
    "a sad robot left alone in the rain, weeping rust",
    "two pirates fighting with swords on a burning ship at sunset",
    "a scary abandoned hospital corridor with flickering lights and broken glass",
    "a tired soldier resting beside a destroyed tank in the mud",
    "a thief running from the police through a crowded night market",
    "a grumpy ogre smashing a wooden bridge with a club",
    "a haunted doll sitting on a cracked porcelain throne",
    "a drunk sailor arguing with a parrot in a dark tavern",
    "a dragon burning a village while the people run away",
)
_STYLES = (
    "",
    "oil painting, dramatic light",
    "highly detailed digital art, artstation, sharp focus",
    "black and white photograph, 35 mm, grain, by an unknown street photographer",
    "watercolour sketch, muted colours, loose brush strokes, white background",
    "concept art, cinematic composition, volumetric fog, intricate, 8k, matte painting, trending",
    "in the style of a vintage science fiction paperback cover",
    "isometric, low poly, soft shadows",
    "cover of a fantasy novel, gold lettering, ornate frame, rich colours, heroic pose, epic scale",
    "pencil drawing",
)


def read_prompts(file: Path | None, count: int) -> list[str]:
    """The first `count` prompts of a text file (one a line) or of JSON lines with "prompt", gzipped or not."""
    if file is None:
        built_in = [f"{subject}, {style}" if style else subject for style in _STYLES for subject in _SUBJECTS]
        return built_in[:count]
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        lines = [line for line in data.decode("utf-8").splitlines() if line.strip()]
        json_lines = ".jsonl" in file.suffixes or ".json" in file.suffixes
        prompts = [str(json.loads(line)["prompt"]) for line in lines] if json_lines else lines
    except (OSError, EOFError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f'{file} is not JSON lines with a "prompt" in UTF-8 ({error!r})') from error
    if not prompts:
        raise UsageError(f"{file} has no prompts")
    return [prompt.strip() for prompt in prompts[:count]]
