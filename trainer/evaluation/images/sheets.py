"""Contact sheets: a row a prompt, its images side by side, blurred unless the reader asks to see."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

ROWS, SIDE, CAPTION = 20, 96, 16


def contact_sheet(
    rows: Sequence[tuple[str, Sequence[Image.Image]]], path: Path, *, blur: bool = True
) -> None:
    """Write one JPEG of (caption, images) rows. Blurred images show layout and colour, nothing else."""
    columns = max(len(images) for _, images in rows)
    sheet = Image.new("RGB", (columns * SIDE, len(rows) * (SIDE + CAPTION)), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (caption, images) in enumerate(rows):
        top = i * (SIDE + CAPTION)
        draw.text((2, top + 2), caption.encode("ascii", "replace").decode()[: columns * 15], fill="black")
        for j, image in enumerate(images):
            small = image.convert("RGB").resize((SIDE, SIDE))
            if blur:
                small = small.filter(ImageFilter.GaussianBlur(SIDE / 10))
            sheet.paste(small, (j * SIDE, top + CAPTION))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=85)
