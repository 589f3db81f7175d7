"""Makes the pictures of the README from the screenshots that the tests took.

Run after ``./wardlink test``: ``.venv/bin/python -m tests.support.pictures``.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SHOTS, PICTURES = ROOT / "build" / "screenshots", ROOT / "docs" / "pictures"
HANDHELD = ("stop_zh", "give_zh", "infusion_zh", "stop_en", "give_en", "infusion_en")
GAP = 16


def side_by_side(images: list[Image.Image]) -> Image.Image:
    """All images in one row on a neutral ground."""
    height = max(image.height for image in images)
    sheet = Image.new("RGB", (sum(one.width + GAP for one in images) + GAP, height + 2 * GAP), "#5b6670")
    x = GAP
    for image in images:
        sheet.paste(image, (x, GAP))
        x += image.width + GAP
    return sheet


def stacked(images: list[Image.Image]) -> Image.Image:
    """All images below each other."""
    sheet = Image.new("RGB", (max(one.width for one in images), sum(one.height for one in images)), "#5b6670")
    y = 0
    for image in images:
        sheet.paste(image, (0, y))
        y += image.height
    return sheet


def save(image: Image.Image, name: str) -> None:
    """Write a picture small enough for a repository: 256 colours are enough for screens."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    image.quantize(256, dither=Image.Dither.NONE).save(PICTURES / f"{name}.png", optimize=True)


def main() -> None:
    """Make both pictures."""
    wall = [Image.open(SHOTS / f"ward_central_{lang}.png").convert("RGB") for lang in ("zh", "en")]
    save(stacked([one.resize((1440, 810), Image.Resampling.LANCZOS) for one in wall]), "central")
    hands = [Image.open(SHOTS / f"ward_handheld_{name}.png").convert("RGB") for name in HANDHELD]
    save(stacked([side_by_side(hands[:3]), side_by_side(hands[3:])]), "handheld")


if __name__ == "__main__":
    main()
