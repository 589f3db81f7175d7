"""Results (ORU^R01, ORU^R42): a laboratory's, or what gateways of other makers' devices measured.

A report is a device's when its profile (MSH-21) or a code's system says so, or when no test is named (OBR-4),
as plain monitor gateways write it; any other is a laboratory's.
"""

from __future__ import annotations

from datetime import datetime

from server.his.message import Message, Segment
from server.his.obx import (
    WITHDRAWN,
    Tree,
    code_of,
    gateway_of,
    generation_of,
    is_value,
    number_of,
    report_time,
    text_of,
    unit_of,
    validity_of,
    whom_of,
)
from server.his.port import HospitalFact
from server.his.reading import Site, patient_number, practitioner
from server.his.refusal import missing
from server.his.reported import (
    MeasuredFact,
    ReportMeasurements,
    ReportResults,
    ResultFact,
    Whom,
)
from server.his.times import parse_stamp

_PROFILES = ("IHE_PCD", "PCD_DEC", "1.3.6.1.4.1.19376.1.6.")
_MAX_TEXT, _MAX_VALUE = 120, 40


def facts_of(message: Message, site: Site) -> tuple[HospitalFact, ...]:
    """Return what a report says; empty when it holds no value.

    Raises:
        RefusedMessageError: A field that is needed is missing or wrong.
    """
    if message.first("OBR") is None:
        raise missing("OBR", "observation request")
    return _measurements(message, site) if is_of_device(message) else _results(message, site)


def is_of_device(message: Message) -> bool:
    """Tell whether a report comes from devices and not from a laboratory."""
    profile = message.header.raw_field(21)
    if message.type[1] == "R42" or any(word in profile for word in _PROFILES):
        return True
    if any(obx.value(3, 3).upper() == "MDC" for obx in message.all("OBX")):
        return True
    return not any(obr.value(4) or obr.value(4, 2) for obr in message.all("OBR"))


def _measurements(message: Message, site: Site) -> tuple[HospitalFact, ...]:
    tree, at, found = Tree(site), report_time(message, site), list[MeasuredFact]()
    for obx in message.all("OBX"):
        own = tree.take(obx) or at
        if is_value(obx) and own is not None:
            found.append(_measured(obx, site, own))
    if not found:
        return ()
    report = ReportMeasurements(
        whom=whom_of(message, site, tree.equipment),
        gateway=gateway_of(message),
        report=message.control_id,
        values=tuple(found),
        at=at,
        generation=generation_of(message),
    )
    return (report,)


def _measured(obx: Segment, site: Site, at: datetime) -> MeasuredFact:
    return MeasuredFact(
        code=code_of(obx, site),
        value=None if obx.is_deleted(5) else number_of(obx),
        unit=unit_of(obx, site),
        validity=validity_of(obx),
        at=at,
    )


def _results(message: Message, site: Site) -> tuple[HospitalFact, ...]:
    """One fact for each OBR that has results."""
    mrn, facts = patient_number(message.first("PID"), site), list[HospitalFact]()
    obr: Segment | None = None
    values: list[ResultFact] = []
    for segment in message.segments:
        if segment.name == "OBR":
            facts += _report(message, mrn, obr, values, site)
            obr, values = segment, []
        elif segment.name == "OBX" and obr is not None and segment.raw_field(5).strip():
            values.append(_result(segment, obr, site))
    return (*facts, *_report(message, mrn, obr, values, site))


def _report(
    message: Message, mrn: str, obr: Segment | None, values: list[ResultFact], site: Site
) -> list[HospitalFact]:
    if obr is None or not values:
        return []
    at = parse_stamp(obr.value(22) or message.header.value(7), site.zone, where="OBR-22")
    report = ReportResults(
        whom=Whom(mrn=mrn),
        report=obr.value(3) or obr.value(2) or message.control_id,
        reported_by=_reporter(obr, message),
        values=tuple(values),
        at=at,
        generation=generation_of(message),
    )
    return [report]


def _reporter(obr: Segment, message: Message) -> str:
    """Say who answers for the result: interpreter, technician, else the sending system."""
    names = (name or number for field in (32, 34) for number, name in [practitioner(obr, field)])
    return next((name for name in names if name), message.header.value(3) or "LIS")[:96]


def _result(obx: Segment, obr: Segment, site: Site) -> ResultFact:
    status = obx.value(11).upper()
    flags = [part.component(1) for part in obx.repetitions(8)]
    withdrawn = status in WITHDRAWN
    times = ((obx, 14), (obr, 7), (obr, 14), (obr, 22))
    segment, field = next(((one, at) for one, at in times if one.value(at)), (obr, 7))
    return ResultFact(
        code=code_of(obx, site),
        name=(obx.value(3, 2) or obx.value(3, 5) or obx.value(3))[:_MAX_TEXT],
        text=text_of(obx)[:_MAX_VALUE],
        number=number_of(obx),
        unit=unit_of(obx, site)[:32],
        critical=not withdrawn and any(site.tables.find("critical_flag", flag) for flag in flags),
        withdrawn=withdrawn,
        at=parse_stamp(segment.value(field), site.zone, where=f"{segment.name}-{field}"),
    )
