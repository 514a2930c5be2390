"""Prompts to measure with, for those who name no file: a hundred mild ones."""

from __future__ import annotations

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


def our_own(count: int) -> list[str]:
    """The first `count` of a hundred: every subject in every style."""
    return [f"{subject}, {style}" if style else subject for style in _STYLES for subject in _SUBJECTS][:count]
