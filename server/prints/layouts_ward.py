"""How the labels that meet a patient are set: wristband and bag."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from clinical.errors import BadInputError
from clinical.identifiers import hospital
from server.prints.canvas import GREY, WHITE, Canvas
from server.prints.symbols import CODE_128, QR, encode
from server.prints.texts import age_text, clock, printed, route_word, sex_word, unit_word, word

if TYPE_CHECKING:
    from server.prints.labels import BagLabel, DrugLine, Wristband

_MARGIN = 2.5


def demo_band(canvas: Canvas, language: str, height: float = 4.2) -> float:
    """Mark a label that is not for patients along its lower edge; return the height that is taken."""
    top = canvas.height - height
    canvas.box(0, top, canvas.width, height, radius=0)
    text = f"{word('demo', language)} · {word('demo-note', language)}"
    canvas.text(
        canvas.width / 2, top + height / 2, text, height * 0.66, bold=True, anchor="mm", ink=WHITE,
        width=canvas.width - 2, least=1.2,
    )  # fmt: skip
    return height


def bed_tile(
    canvas: Canvas, x: float, y: float, width: float, height: float, bed: str, language: str
) -> None:
    """Set the bed number white on black, the largest thing on the label."""
    canvas.box(x, y, width, height, radius=1.2)
    label = word("bed", language)
    canvas.text(
        x + width / 2, y + height * 0.39, bed, height * 0.58, bold=True, anchor="mm", ink=WHITE,
        width=width - 1.6, least=2.5,
    )  # fmt: skip
    canvas.text(x + width / 2, y + height * 0.86, label, height * 0.18, anchor="mm", ink=WHITE)


def wristband(content: Wristband, language: str, zone: ZoneInfo) -> Canvas:
    """Set a wristband: the code at both ends, so that one faces out however the band turns."""
    canvas = Canvas(190, 25)
    code = encode(hospital.encode("wristband", content.mrn, content.serial), QR)
    taken = demo_band(canvas, language, 3.4) if content.demo else 0.0
    high = canvas.height - taken
    side = min(high, 23.0)
    canvas.symbol(1.5, (high - side) / 2, side, side, code)
    canvas.symbol(canvas.width - side - 1.5, (high - side) / 2, side, side, code)
    left = side + 4.0
    tile = 17.0
    right = canvas.width - side - 4.0
    if content.bed:
        bed_tile(canvas, right - tile, 2.2, tile, high - 4.4, content.bed, language)
        right -= tile + 2.5
    _wristband_lines(canvas, content, language, zone, left=left, room=right - left, high=high)
    return canvas


def _wristband_lines(
    canvas: Canvas,
    content: Wristband,
    language: str,
    zone: ZoneInfo,
    *,
    left: float,
    room: float,
    high: float,
) -> None:
    first, second, third = high * 0.37, high * 0.64, high * 0.89
    used = canvas.text(left, first, content.name, high * 0.3, bold=True, width=room * 0.62, least=3.2)
    if content.name_latin:
        canvas.text(left + used + 2.5, first, content.name_latin, 3.9, width=room - used - 2.5, least=1.8)
    canvas.text(left, second, _who(content, language, zone), 4.3, bold=True, width=room, least=2.2)
    number = f"{word('mrn', language)} {content.mrn}"
    room_left = room
    if content.allergy:
        room_left = _allergy(canvas, content.allergy, language, right=left + room, baseline=third, room=room)
    canvas.text(left, third, number, 4.3, bold=True, width=room_left, least=2.2)


def _who(content: Wristband, language: str, zone: ZoneInfo) -> str:
    today = content.printed_at.astimezone(zone).date()
    born = f"{word('born', language)} {content.birth_date.isoformat()}" if content.birth_date else ""
    parts = (sex_word(content.sex, language), age_text(content.birth_date, today, language), born)
    return "   ".join(part for part in parts if part)


def _allergy(
    canvas: Canvas, allergy: str, language: str, *, right: float, baseline: float, room: float
) -> float:
    text = f"{word('allergy', language)} {allergy}"
    width = min(canvas.measure(text, 3.5, bold=True), room * 0.5) + 2.4
    canvas.box(right - width, baseline - 3.7, width, 4.8, radius=0.8)
    canvas.text(
        right - width / 2, baseline - 1.3, text, 3.5, bold=True, anchor="mm", ink=WHITE,
        width=width - 2, least=1.6,
    )  # fmt: skip
    return room - width - 2


def bag(content: BagLabel, language: str, zone: ZoneInfo) -> Canvas:
    """Set a bag label: who, what, how, when; then the code; then who prepared and checked it."""
    canvas = Canvas(80, 60)
    bottom = canvas.height - (demo_band(canvas, language, 3.6) if content.demo else 1.0)
    _bag_head(canvas, content, language, zone)
    _drug_lines(canvas, content.lines, language, top=14.9, bottom=29.2)
    _bag_how(canvas, content, language, zone)
    code = encode(hospital.encode("bag", content.bag_id), CODE_128)
    code_top = 39.1
    code_height = bottom - code_top - 7.9
    canvas.symbol(0.5, code_top, canvas.width - 1, code_height, code)
    made = printed(content.serial, content.printed_at, zone, language)
    below = "   ".join(part for part in (code.text, made) if part)
    canvas.text(canvas.width / 2, code_top + code_height + 2.6, below, 2.3, anchor="ms", width=74, least=1.4)
    _bag_foot(canvas, content, language, zone, baseline=bottom - 1.2)
    return canvas


def _bag_head(canvas: Canvas, content: BagLabel, language: str, zone: ZoneInfo) -> None:
    bed_tile(canvas, _MARGIN, 1.8, 14, 11.4, content.bed, language)
    left = _MARGIN + 14 + 2.2
    room = canvas.width - _MARGIN - left
    if content.high_alert:
        room -= _high_alert(canvas, language)
    canvas.text(left, 7.3, content.name, 6.2, bold=True, width=room, least=2.6)
    today = content.printed_at.astimezone(zone).date()
    age = age_text(content.birth_date, today, language)
    sex = sex_word(content.sex, language) if content.sex != "unknown" else ""
    who = "  ".join(part for part in (sex, age, f"{word('mrn', language)} {content.mrn}") if part)
    canvas.text(left, 12.2, who, 3.2, width=canvas.width - _MARGIN - left, least=1.8)
    canvas.rule(_MARGIN, 14.2, canvas.width - 2 * _MARGIN, weight=0.35)


def _high_alert(canvas: Canvas, language: str) -> float:
    text = word("high-alert", language)
    width = canvas.measure(text, 3.3, bold=True) + 2.4
    canvas.frame(canvas.width - _MARGIN - width, 2.4, width, 5.2, weight=0.5)
    canvas.text(canvas.width - _MARGIN - width / 2, 5.0, text, 3.3, bold=True, anchor="mm")
    return width + 1.5


def _drug_lines(
    canvas: Canvas, lines: tuple[DrugLine, ...], language: str, *, top: float, bottom: float
) -> None:
    """Set the drugs under each other, names left and amounts right, as large as their number allows."""
    if not lines:
        raise BadInputError("label-no-drug", "a bag label needs at least one drug line")
    step = min((bottom - top) / len(lines), 6.4)
    size = min(step * 0.74, 4.4)
    if size < 2.0:
        raise BadInputError(
            "label-too-many-lines", "more drugs than this label can show legibly; split the bag"
        )
    right = canvas.width - _MARGIN
    for number, line in enumerate(lines):
        baseline = top + step * number + step * 0.78
        used = canvas.text(
            right, baseline, amount(line, language), size, bold=True, anchor="rs", width=26, least=1.8
        )
        canvas.text(_MARGIN, baseline, line.text, size, width=right - used - 2.5 - _MARGIN, least=1.8)
    canvas.rule(_MARGIN, bottom + 0.5, canvas.width - 2 * _MARGIN, ink=GREY)


def amount(line: DrugLine, language: str) -> str:
    """Write an amount with its unit as it is printed for people."""
    return f"{_plain(line.amount)} {unit_word(line.unit, language)}"


def _bag_how(canvas: Canvas, content: BagLabel, language: str, zone: ZoneInfo) -> None:
    right = canvas.width - _MARGIN
    planned = f"{word('planned', language)} {clock(content.planned_at, zone)}"
    used = canvas.text(right, 36.4, planned, 4.2, bold=True, anchor="rs")
    how = "  ".join(part for part in (route_word(content.route, language), content.frequency) if part)
    room = right - used - 2.5 - _MARGIN
    speed = _speed(content, language)
    canvas.text(_MARGIN, 33.3 if speed else 36.4, how, 3.1, bold=not speed, width=room, least=1.7)
    if speed:
        canvas.text(_MARGIN, 37.0, speed, 2.9, bold=True, width=room, least=1.6)


def _speed(content: BagLabel, language: str) -> str:
    if content.rate_ml_h is None:
        return ""
    speed = f"{_plain(content.rate_ml_h)} mL/h"
    if not content.drops_per_ml:
        return speed
    drops = (content.rate_ml_h * content.drops_per_ml / 60).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    factor = f"{content.drops_per_ml} {word('drop-factor', language)}"
    return f"{speed} ≈ {drops} {word('drops', language)} ({factor})"


def _bag_foot(canvas: Canvas, content: BagLabel, language: str, zone: ZoneInfo, *, baseline: float) -> None:
    """Set the lines on which people sign, and the times that count for the contents."""
    names = (("prepared-by", content.prepared_by), ("checked-by", content.checked_by))
    left = _MARGIN
    for label, person in names:
        used = canvas.text(left, baseline, word(label, language), 2.5)
        line = 20.5 - used - 0.8
        canvas.rule(left + used + 0.8, baseline + 0.3, line, weight=0.15)
        if person:
            canvas.text(
                left + used + 1.2, baseline - 0.1, person, 2.5, bold=True, width=line - 0.6, least=1.4
            )
        left += 21.5
    canvas.text(canvas.width - _MARGIN, baseline, _times(content, language, zone), 2.4, anchor="rs",
                width=canvas.width - _MARGIN - left - 0.5, least=1.4)  # fmt: skip


def _times(content: BagLabel, language: str, zone: ZoneInfo) -> str:
    moment: datetime | None = content.beyond_use
    if moment is not None:
        return f"{word('beyond-use', language)} {clock(moment, zone)}"
    return f"{word('printed', language)} {clock(content.printed_at, zone)}"


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
