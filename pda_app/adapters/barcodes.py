"""Barcodes in pictures: two readers and a few tricks, in the order in which they pay.

Measured on generated camera frames: zxing reads most, and is the only one that tells GS1 from plain codes;
ZBar reads thin bars better below 1.6 pixels per module; turning the frame finds long 1D codes held askew;
sharpening and doubling find small 2D codes. ITF is left out: both readers shorten it without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from clinical.bedside_check.model import ScanMethod
from clinical.errors import BadInputError
from pda_app.ports import Read

if TYPE_CHECKING:
    import numpy as np

    Gray: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_DOUBLE_BELOW_PX = 1000
_ANGLES = (25.0, -25.0, 45.0)
_ZBAR_SYMBOLOGY = {"EAN13": "]E0", "QRCODE": "]Q1", "CODABAR": "]F0", "CODE39": "]A0"}
# ZBar does not tell a GS1-128 from a plain Code 128: without an identifier the code's own structure decides.


def decode_image(image: Any) -> list[Read]:
    """Read every code in a picture: a path, a Pillow image, or a BGR, RGB or grey array.

    Stops at the first step that finds something. A picture without a code gives an empty list.

    Raises:
        BadInputError: It is not a picture.
    """
    gray = as_gray(image)
    for step in steps(gray):
        found = list(dict.fromkeys(step(gray)))
        if found:
            return found
    return []


def steps(gray: Gray) -> tuple[Callable[[Gray], Iterable[Read]], ...]:
    """The steps for this picture, cheapest first."""
    small = gray.shape[1] < _DOUBLE_BELOW_PX
    return (zxing, zbar, *(_turned(angle) for angle in _ANGLES), _sharpened, *((_doubled,) if small else ()))


def as_gray(image: Any) -> Gray:
    """Turn any picture into 8-bit grey.

    Raises:
        BadInputError: It is not a picture.
    """
    import cv2
    import numpy as np

    if isinstance(image, str | Path):
        image = cv2.imread(str(image), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise BadInputError("picture", "the file is not a picture that can be read")
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim not in {2, 3} or 0 in array.shape:
        raise BadInputError("picture", "a picture has 8 bits a channel and one, three or four channels")
    if array.ndim == 3:
        channels = array.shape[2]
        codes = {1: None, 3: cv2.COLOR_BGR2GRAY, 4: cv2.COLOR_BGRA2GRAY}
        if channels not in codes:
            raise BadInputError("picture", "a picture has one, three or four channels")
        code = codes[channels]
        array = array[:, :, 0] if code is None else cv2.cvtColor(array, code)
    return np.ascontiguousarray(array)


def zxing(gray: Gray, *, fast: bool = False) -> Iterator[Read]:
    """Read with zxing-cpp; keeps group separators and the AIM identifier."""
    import zxingcpp

    found = zxingcpp.read_barcodes(
        gray,
        formats=_formats(),
        text_mode=zxingcpp.TextMode.Plain,
        try_rotate=not fast,
        try_downscale=not fast,
        try_invert=not fast,
    )
    for code in found:
        if code.valid and code.text:
            yield Read(raw=code.text, method=ScanMethod.CAMERA, symbology=code.symbology_identifier)


@cache
def _formats() -> Any:
    import zxingcpp

    kinds = zxingcpp.BarcodeFormat
    return [
        kinds.Code128,
        kinds.EAN13,
        kinds.QRCode,
        kinds.DataMatrix,
        kinds.Aztec,
        kinds.PDF417,
        kinds.Codabar,
        kinds.Code39,
    ]


def zbar(gray: Gray) -> Iterator[Read]:
    """Read with ZBar; nothing when its library is not installed."""
    reader = _pyzbar()
    if reader is None:
        return
    kinds = reader.ZBarSymbol
    wanted = [kinds.CODE128, kinds.EAN13, kinds.QRCODE, kinds.CODABAR, kinds.CODE39]
    for code in reader.decode(gray, symbols=wanted):
        try:
            text = code.data.decode()
        except UnicodeDecodeError:
            continue  # bytes that are no text are no code of ours
        if text:
            yield Read(raw=text, method=ScanMethod.CAMERA, symbology=_ZBAR_SYMBOLOGY.get(code.type, ""))


@cache
def _pyzbar() -> Any:
    """The ZBar binding, or None: its shared library comes from the system and may be missing."""
    try:
        from pyzbar import pyzbar
    except ImportError:
        return None
    return pyzbar


def _turned(angle: float) -> Callable[[Gray], Iterable[Read]]:
    def step(gray: Gray) -> Iterable[Read]:
        import cv2

        height, width = gray.shape
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
        return zxing(cv2.warpAffine(gray, turn, (width, height), borderValue=255), fast=True)

    return step


def _sharpened(gray: Gray) -> Iterable[Read]:
    import cv2

    blurred = cv2.GaussianBlur(gray, (0, 0), 2.0)
    return zxing(cv2.addWeighted(gray, 2.2, blurred, -1.2, 0))


def _doubled(gray: Gray) -> Iterable[Read]:
    import cv2

    return zxing(cv2.resize(gray, None, fx=2.0, fy=2.0, interpolation=cv2.INTER_CUBIC))
