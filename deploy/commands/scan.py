"""``wardlink scan``: what a barcode is. Always prints one JSON array, one entry per code."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from clinical.errors import BadInputError, UnavailableError
from clinical.identifiers import Identified, resolve
from deploy.commands import _stdio

_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"})


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "codes", nargs="*", metavar="TEXT|IMAGE", help="a code's text, or an image file of codes"
    )
    parser.add_argument("--stdin", action="store_true", help="read a JSON array of texts or {raw, symbology}")


def run(args: argparse.Namespace) -> int:
    """Print what every code is; a damaged or unknown code is an answer, not a failure."""
    if args.stdin == bool(args.codes):
        raise BadInputError("scan-input", "name codes or image files, or use --stdin, but not both")
    if args.stdin:
        _stdio.write([_item(item) for item in _stdio.read_items()])
    else:
        _stdio.write([answer for text in args.codes for answer in _argument(text)])
    return 0


def _item(item: Any) -> dict[str, Any]:
    raw, symbology = (item.get("raw"), item.get("symbology") or "") if isinstance(item, dict) else (item, "")
    if not isinstance(raw, str) or not isinstance(symbology, str):
        return _bad("an item is a text, or an object with the texts raw and symbology")
    return _answer(resolve(raw, symbology=symbology))


def _argument(text: str) -> list[dict[str, Any]]:
    path = Path(text)
    if path.suffix.lower() in _IMAGES and path.is_file():
        found = [_answer(resolve(raw, symbology=symbology)) for raw, symbology in read_image(path)]
        return found or [_bad("no barcode was found in the image")]
    return [_answer(resolve(text))]


def read_image(path: Path) -> list[tuple[str, str]]:
    """Return text and AIM symbology identifier of every code in an image.

    Raises:
        UnavailableError: The decoder is not installed.
        BadInputError: The file is not an image.
    """
    try:
        import zxingcpp
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise UnavailableError("no-decoder", "install the extra 'pda' or 'server' to read images") from error
    try:
        with Image.open(path) as image:
            found = zxingcpp.read_barcodes(image.convert("L"), text_mode=zxingcpp.TextMode.Plain)
    except (UnidentifiedImageError, OSError) as error:
        raise BadInputError("not-an-image", "the file is not an image that can be read") from error
    return [(code.text, code.symbology_identifier) for code in found]


def _answer(found: Identified) -> dict[str, Any]:
    return {
        "raw": found.raw,
        "kind": str(found.kind),
        "valid": found.valid,
        "elements": [{"ai": element.ai, "value": element.value} for element in found.elements],
        "warnings": list(found.warnings),
        "error": found.error,
        "value": found.value,
        "serial": found.serial,
    }


def _bad(error: str) -> dict[str, Any]:
    return _answer(Identified(raw="", kind="unknown", valid=False, error=error))
