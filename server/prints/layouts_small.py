"""How the labels on things are set: tubes, beds, nodes, devices, badges, drug packages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from clinical.errors import BadInputError
from clinical.identifiers import hospital
from server.prints.canvas import GREY, WHITE, Canvas
from server.prints.layouts_ward import amount, bed_tile, demo_band
from server.prints.symbols import GS1_DATA_MATRIX, QR, encode
from server.prints.texts import clock, printed, word

if TYPE_CHECKING:
    from server.prints.labels import (
        Badge,
        BedLabel,
        DeviceLabel,
        DrugPackage,
        NodeLabel,
        OralLabel,
        TubeLabel,
    )

_LEAST_STEP = 2.2
"""Millimetres a line needs to be read."""


def _bottom(canvas: Canvas, language: str, *, demo: bool, height: float = 3.2) -> float:
    return canvas.height - (demo_band(canvas, language, height) if demo else 0.0)


def tube(content: TubeLabel, language: str, zone: ZoneInfo) -> Canvas:
    """Set a tube label: a square code, which a curved tube bends less than a long one, beside the words."""
    canvas = Canvas(50, 30)
    bottom = _bottom(canvas, language, demo=content.demo, height=2.8)
    code = encode(hospital.encode("tube", content.tube_id), QR)
    side = 19.0
    canvas.symbol(canvas.width - side - 0.4, 7.6, side, side, code)
    used = canvas.text(2, 6.0, content.bed, 5.0, bold=True, width=12, least=2.5)
    used += canvas.text(2 + used + 0.6, 6.0, word("bed", language), 2.6) + 2.2
    canvas.text(2 + used, 6.0, content.name, 4.4, bold=True, width=canvas.width - 4 - used, least=2.0)
    room = canvas.width - side - 2.6
    step = (bottom - 8.0) / 4.9
    lines = (
        (f"{word('mrn', language)} {content.mrn}", 2.5, False),
        (content.specimen, 3.1, True),
        (content.tests, 3.1, True),
        (f"{word('collect', language)} {clock(content.collect_at, zone)}", 2.4, False),
    )
    for number, (text, size, bold) in enumerate(lines):
        canvas.text(2, 8.0 + step * (number + 0.8), text, size, bold=bold, width=room, least=1.4)
    made = printed(content.serial, content.printed_at, zone, language)
    below = "  ".join(part for part in (content.tube_id, made) if part)
    canvas.text(2, bottom - 1.0, below, 1.9, ink=GREY, width=room, least=1.2)
    return canvas


def oral(content: OralLabel, language: str, zone: ZoneInfo) -> Canvas:
    """Set the label of a dose to be swallowed: who, what and how much, when; the code beside it."""
    if not content.lines:
        raise BadInputError("label-no-drug", "a label of a dose needs at least one drug line")
    canvas = Canvas(50, 30)
    bottom = _bottom(canvas, language, demo=content.demo, height=2.8)
    code = encode(hospital.encode("bag", content.bag_id), QR)
    side = 17.0
    canvas.symbol(canvas.width - side - 0.4, 8.4, side, side, code)
    used = canvas.text(2, 6.0, content.bed, 5.0, bold=True, width=12, least=2.5)
    used += canvas.text(2 + used + 0.6, 6.0, word("bed", language), 2.6) + 2.2
    canvas.text(2 + used, 6.0, content.name, 4.4, bold=True, width=canvas.width - 4 - used, least=2.0)
    room = canvas.width - side - 2.6
    planned = f"{word('planned', language)} {clock(content.planned_at, zone)}"
    alert = word("high-alert", language) if content.high_alert else ""
    made = printed(content.serial, content.printed_at, zone, language)
    lines = [
        (f"{word('mrn', language)} {content.mrn}", 2.5, False),
        *((f"{one.text} {amount(one, language)}", 3.2, True) for one in content.lines),
        ("  ".join(part for part in (planned, content.frequency, alert) if part), 2.6, True),
        (made, 1.9, False),
    ]
    step = (bottom - 8.0) / len(lines)
    if step < _LEAST_STEP:
        raise BadInputError(
            "label-too-many-lines", "more drugs than this label can show legibly; split the dose"
        )
    for number, (text, size, bold) in enumerate(lines):
        height = min(size, step * 0.8)
        canvas.text(2, 8.0 + step * (number + 0.8), text, height, bold=bold, width=room, least=1.3)
    return canvas


def bed(content: BedLabel, language: str, zone: ZoneInfo) -> Canvas:
    """Set a bed label, readable from the door."""
    canvas = Canvas(90, 55)
    bottom = _bottom(canvas, language, demo=content.demo, height=4.4)
    code = encode(hospital.encode("bed", content.ward, content.bed), QR)
    side = min(bottom - 6, 42.0)
    canvas.symbol(canvas.width - side - 2, (bottom - side) / 2, side, side, code)
    room = canvas.width - side - 2 - 7
    bed_tile(canvas, 4, 4, room, bottom - 20, content.bed, language)
    canvas.text(4, bottom - 9.6, content.ward_name or content.ward, 5.2, bold=True, width=room, least=2.2)
    canvas.text(4, bottom - 3.8, word("scan-bed", language), 3.0, ink=GREY, width=room, least=1.8)
    made = printed(content.serial, content.printed_at, zone, language)
    if made:
        canvas.text(4, bottom - 0.8, made, 2.0, ink=GREY, width=room, least=1.4)
    return canvas


def node(content: NodeLabel, language: str, zone: ZoneInfo) -> Canvas:  # noqa: ARG001 - one shape for all layouts
    """Set the label of a bedside node."""
    canvas = Canvas(70, 40)
    bottom = _bottom(canvas, language, demo=content.demo, height=3.6)
    code = encode(hospital.encode("node", content.node), QR)
    side = min(bottom - 3, 33.0)
    canvas.symbol(1.5, (bottom - side) / 2, side, side, code)
    left = side + 4
    room = canvas.width - left - 3
    _title(canvas, left, 4, room, word("node", language))
    canvas.text(left, bottom * 0.52, content.node, 5.0, bold=True, width=room, least=2.0)
    if content.serves:
        text = f"{content.serves} {word('bed', language)}" if language == "zh" else f"Bed {content.serves}"
        canvas.text(left, bottom * 0.74, text, 4.4, width=room, least=2.0)
    canvas.text(left, bottom - 3.2, "WARDLINK", 2.6, ink=GREY)
    return canvas


def device(content: DeviceLabel, language: str, zone: ZoneInfo) -> Canvas:  # noqa: ARG001 - one shape for all layouts
    """Set the label of a device: its short label in large print beside the code."""
    canvas = Canvas(60, 30)
    bottom = _bottom(canvas, language, demo=content.demo, height=3.0)
    code = encode(hospital.encode("device", content.uid), QR)
    side = min(bottom - 1.5, 26.0)
    canvas.symbol(0.8, (bottom - side) / 2, side, side, code)
    left = side + 2.4
    room = canvas.width - left - 2.4
    _title(canvas, left, 2.4, room, content.kind or word("device", language), height=4.6)
    canvas.text(left, bottom * 0.56, content.label, 6.4, bold=True, width=room, least=2.4)
    if content.serial:
        canvas.text(
            left, bottom * 0.75, f"{word('serial', language)} {content.serial}", 2.6, width=room, least=1.4
        )
    canvas.text(left, bottom - 2.0, content.uid, 2.1, ink=GREY, width=room, least=1.2)
    return canvas


def badge(content: Badge, language: str, zone: ZoneInfo) -> Canvas:  # noqa: ARG001 - one shape for all layouts
    """Set a staff badge, upright."""
    canvas = Canvas(54, 86)
    bottom = _bottom(canvas, language, demo=content.demo, height=4.4)
    canvas.box(0, 0, canvas.width, 15, radius=0)
    middle = canvas.width / 2
    head = content.hospital or "WARDLINK"
    canvas.text(middle, 5.9, head, 4.2, bold=True, anchor="mm", ink=WHITE, width=48, least=2.0)
    canvas.text(middle, 11.2, word("badge", language), 2.9, anchor="mm", ink=WHITE)
    canvas.text(middle, 26.0, content.name, 8.4, bold=True, anchor="ms", width=48, least=3.2)
    if content.name_latin:
        canvas.text(middle, 31.4, content.name_latin, 3.6, anchor="ms", width=48, least=2.0)
    if content.role:
        canvas.text(middle, 37.4, content.role, 3.8, bold=True, anchor="ms", width=48, least=2.0)
    code = encode(hospital.encode("badge", content.badge), QR)
    side = min(bottom - 40 - 6, 36.0)
    canvas.symbol(middle - side / 2, 39.5, side, side, code)
    canvas.text(middle, bottom - 2.4, content.badge, 3.6, bold=True, anchor="ms", width=48, least=2.0)
    return canvas


def drug(content: DrugPackage, language: str, zone: ZoneInfo) -> Canvas:  # noqa: ARG001 - one shape for all layouts
    """Set a package sample with GTIN, expiry, lot and serial, human-readable as GS1 asks."""
    canvas = Canvas(50, 30)
    bottom = _bottom(canvas, language, demo=content.demo, height=3.0)
    text = f"(01){content.gtin}(17){content.expiry:%y%m%d}(10){content.lot}(21){content.serial}"
    side = bottom - 7.5
    canvas.text(2, 4.6, content.name or "GS1 DataMatrix", 3.4, bold=True, width=canvas.width - 4, least=1.6)
    canvas.symbol(1, 6.2, side, side, encode(text, GS1_DATA_MATRIX))
    left = side + 2.4
    room = canvas.width - left - 2
    lines = (
        ("(01)", content.gtin),
        ("(17)", f"{content.expiry:%y%m%d}"),
        ("(10)", content.lot),
        ("(21)", content.serial),
    )
    step = (bottom - 8.2) / len(lines)
    for number, (mark, value) in enumerate(lines):
        canvas.text(left, 6.6 + step * number + step * 0.7, f"{mark} {value}", 2.9, width=room, least=1.4)
    return canvas


def _title(canvas: Canvas, x: float, y: float, width: float, text: str, *, height: float = 6.0) -> None:
    """Set what kind of thing this is, white on black."""
    canvas.box(x, y, width, height, radius=0.8)
    canvas.text(
        x + width / 2, y + height / 2, text, height * 0.62, bold=True, anchor="mm", ink=WHITE,
        width=width - 1.6, least=1.4,
    )  # fmt: skip
