"""The camera scanner on real codes: made, bent, blurred, filmed, and read again."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zxingcpp
from PIL import Image

from clinical.bedside_check.model import ScanMethod
from clinical.errors import BadInputError, UnavailableError
from clinical.identifiers import hospital, resolve
from pda_app.adapters import barcodes
from pda_app.adapters.barcodes import decode_image
from pda_app.adapters.scanner_camera import Agreement, CameraSource, FrameReader, Grabber
from pda_app.ports import Broken, Read

GS1 = "(01)06901234567892(17)271231(10)LOT42A(21)SER77"
GS1_RAW = "010690123456789217271231" + "10LOT42A\x1d21SER77"
BAND = hospital.encode("wristband", "P0012345678", "1")
F = zxingcpp.BarcodeFormat
Picture = np.ndarray[Any, np.dtype[np.uint8]]


def code(text: str, kind: Any, *, gs1: bool = False, scale: int = 4) -> Picture:
    made = zxingcpp.create_barcode(text, kind, gs1=gs1) if gs1 else zxingcpp.create_barcode(text, kind)
    return np.asarray(made.to_image(scale=scale)).astype(np.uint8)


def on_table(image: Picture, width: int = 1280, height: int = 720) -> Picture:
    """Lay a label on a shaded, noisy table."""
    rng = np.random.default_rng(7)
    table = np.linspace(90, 170, width, dtype=np.float32)[None, :].repeat(height, axis=0)
    label = cv2.copyMakeBorder(image, 30, 30, 30, 30, cv2.BORDER_CONSTANT, value=255)
    top, left = (height - label.shape[0]) // 2, (width - label.shape[1]) // 2
    table[top : top + label.shape[0], left : left + label.shape[1]] = label
    noisy = table + rng.normal(0, 4, table.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def turned(image: Picture, degrees: float) -> Picture:
    height, width = image.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return cv2.warpAffine(image, matrix, (width, height), borderValue=130).astype(np.uint8)


def only(reads: list[Read]) -> Read:
    assert len(reads) == 1
    return reads[0]


@pytest.mark.requirement("R-PDA-14")
@pytest.mark.parametrize(
    ("text", "kind", "gs1", "raw", "aim"),
    [
        (BAND, F.Code128, False, BAND, "]C0"),
        (BAND, F.QRCode, False, BAND, "]Q1"),
        (GS1, F.Code128, True, GS1_RAW, "]C1"),
        (GS1, F.DataMatrix, True, GS1_RAW, "]d2"),
        (GS1, F.QRCode, True, GS1_RAW, "]Q3"),
        ("6901234567892", F.EAN13, False, "6901234567892", "]E0"),
        (BAND, F.Aztec, False, BAND, "]z0"),
        (BAND, F.PDF417, False, BAND, "]L2"),
    ],
)
def test_every_code_is_read_with_its_separators_and_its_kind(
    text: str, kind: Any, gs1: bool, raw: str, aim: str
) -> None:
    scale = 2 if gs1 and kind is F.Code128 else 4
    read = only(decode_image(on_table(code(text, kind, gs1=gs1, scale=scale))))
    assert (read.raw, read.symbology, read.method) == (raw, aim, ScanMethod.CAMERA)


@pytest.mark.requirement("R-PDA-14")
@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("blur", lambda image: cv2.GaussianBlur(image, (0, 0), 2.2)),
        ("motion", lambda image: cv2.blur(image, (7, 1))),
        ("dark", lambda image: (image * 0.25).astype(np.uint8)),
        ("turned 20", lambda image: turned(image, 20)),
        ("turned -25", lambda image: turned(image, -25)),
        ("turned 45", lambda image: turned(image, 45)),
        ("turned 90", lambda image: np.rot90(image).copy()),
        ("upside down", lambda image: image[::-1, ::-1].copy()),
        ("far", lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)),
    ],
)
@pytest.mark.parametrize("kind", [F.Code128, F.QRCode, F.DataMatrix])
def test_a_wristband_is_read_through_what_a_ward_does_to_it(name: str, spoil: Any, kind: Any) -> None:
    scale = 4 if kind is F.Code128 else 6
    image = spoil(on_table(code(BAND, kind, scale=scale)))
    found = decode_image(image)
    beyond_every_reader = name == "turned 45" and kind is F.Code128  # no scan line crosses all its bars
    assert {read.raw for read in found} in ([set(), {BAND}] if beyond_every_reader else [{BAND}])


@pytest.mark.hazard("H-PDA-07")
def test_pictures_without_a_whole_code_give_nothing_wrong() -> None:
    rng = np.random.default_rng(3)
    strip = code(BAND, F.Code128, scale=3)
    halved = on_table(strip[:, : strip.shape[1] // 2])
    covered = on_table(strip)
    covered[:, 500:760] = 250
    noise = rng.integers(0, 255, (480, 640), dtype=np.uint8)
    stripes = np.repeat(rng.integers(0, 2, 640).astype(np.uint8)[None, :] * 255, 480, axis=0)
    for image in (halved, covered, noise, stripes):
        assert [
            read.raw for read in decode_image(image) if resolve(read.raw, symbology=read.symbology).valid
        ] == []


def test_what_zxing_reads_zbar_confirms_without_claiming_gs1() -> None:
    read = only(list(barcodes.zbar(on_table(code(GS1, F.Code128, gs1=True, scale=2)))))
    assert (read.raw, read.symbology) == (GS1_RAW, "")
    assert resolve(read.raw, symbology=read.symbology).value == "06901234567892"


def test_without_the_zbar_library_the_camera_still_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(barcodes, "_pyzbar", lambda: None)
    assert only(decode_image(on_table(code(BAND, F.QRCode)))).raw == BAND
    assert list(barcodes.zbar(on_table(code(BAND, F.QRCode)))) == []


def test_files_pillow_images_and_colour_are_all_pictures(tmp_path: Path) -> None:
    gray = on_table(code(BAND, F.QRCode))
    path = tmp_path / "band.png"
    Image.fromarray(gray).save(path)
    pictures: list[Any] = [
        path,
        Image.fromarray(gray),
        cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR),
        gray[:, :, None],
    ]
    for picture in pictures:
        assert only(decode_image(picture)).raw == BAND


def test_what_is_no_picture_is_told(tmp_path: Path) -> None:
    text = tmp_path / "note.png"
    text.write_text("not a picture")
    for wrong in (
        text,
        np.zeros((0, 5), np.uint8),
        np.zeros((5, 5), np.float64),
        np.zeros((5, 5, 2), np.uint8),
    ):
        with pytest.raises(BadInputError):
            decode_image(wrong)


def test_two_codes_in_view_are_none_and_one_counts_after_two_equal_reads() -> None:
    one, two = Read(raw="AAAA", method=ScanMethod.CAMERA), Read(raw="BBBB", method=ScanMethod.CAMERA)
    agreement = Agreement()
    assert agreement.offer([one], 0.0) is None
    assert agreement.offer([one, two], 0.1) is None
    assert agreement.offer([one], 0.2) is None
    assert agreement.offer([], 0.25) is None
    assert agreement.offer([one], 0.3) == one
    assert agreement.offer([one], 0.4) is None
    assert agreement.offer([], 5.0) is None
    assert [agreement.offer([one], 5.1), agreement.offer([one], 5.2)] == [None, one]


def test_a_code_only_a_later_step_finds_is_found_some_frames_on() -> None:
    reader = FrameReader()
    tilted = turned(on_table(code(BAND, F.Code128, scale=2)), -25)
    assert list(barcodes.zxing(tilted)) == []
    found = [read.raw for _ in range(6) for read in reader.read(tilted)]
    assert BAND in found


def film(path: Path) -> None:
    """Empty table, a QR code, empty table, a DataMatrix: 2 seconds at 30 pictures a second."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (1280, 720))
    empty = np.full((720, 1280), 130, np.uint8)
    pictures = (
        empty,
        on_table(code(BAND, F.QRCode)),
        empty,
        on_table(code(GS1, F.DataMatrix, gs1=True, scale=8)),
    )
    for picture in pictures:
        for _ in range(15):
            writer.write(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    writer.release()


@pytest.mark.slow
@pytest.mark.requirement("R-PDA-14")
def test_a_filmed_code_is_delivered_once_on_the_event_loop(tmp_path: Path) -> None:
    path = tmp_path / "scan.avi"
    film(path)

    async def main() -> list[Read | Broken]:
        got: list[Read | Broken] = []
        source = CameraSource(str(path))
        source.start(got.append)
        async with asyncio.timeout(60):
            while len(got) < 2:  # noqa: ASYNC110 - a plain list is what the source delivers to
                await asyncio.sleep(0.05)
        assert source.preview() is not None
        await asyncio.sleep(0.3)
        source.stop()
        assert not source.running
        return got

    assert [read.raw for read in asyncio.run(main()) if isinstance(read, Read)] == [BAND, GS1_RAW]


def test_the_grabber_keeps_only_the_newest_picture_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "scan.avi"
    film(path)
    grabber = Grabber(str(path))
    grabber.start()
    time.sleep(0.5)
    first = grabber.next(0)
    assert first is not None
    assert first.number > 3
    grabber.close()
    assert grabber.next(10_000) is None


def test_a_camera_that_is_not_there_is_told() -> None:
    with pytest.raises(UnavailableError):
        Grabber("/nowhere/film.avi")
