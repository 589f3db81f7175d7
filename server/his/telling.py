"""Writes the messages of :mod:`server.his.told`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, assert_never

from clinical.codes import CODES
from clinical.records import AlarmPriority
from server.his import mdc
from server.his.escapes import escape
from server.his.times import stamp
from server.his.told import (
    AlertReport,
    ChartedReport,
    DeviceReport,
    InfusionReport,
    Report,
    SpecimenReport,
    ToldValue,
)
from server.his.writing import (
    Addresses,
    Subject,
    control_id_of,
    line,
    message,
    msh,
    person,
    pid,
    plain,
    pv1,
)

_OID = "IHE PCD^1.3.6.1.4.1.19376.1.6.1"
PCD01 = f"IHE_PCD_001^{_OID}.1.1^ISO"
PCD04 = f"IHE_PCD_ACM_001^{_OID}.4.1^ISO"
PCD10 = "IHE_PCD_010^IHE PCD^1.3.6.1.4.1.19376.1.6.4.10^ISO"
_PRIORITY = {AlarmPriority.HIGH: "PH", AlarmPriority.MEDIUM: "PM", AlarmPriority.LOW: "PL"}
_EVENTS = {"limit-low": "196670^MDC_EVT_LO^MDC", "limit-high": "196648^MDC_EVT_HI^MDC"}
_SIDE = {"limit-low": "L", "limit-high": "H"}
_INFUSION_EVENTS = {
    "start": "197288^MDC_EVT_PUMP_DELIV_START^MDC",
    "stop": "0^MDC_EVT_PUMP_DELIV_STOP^MDC",
    "complete": "197292^MDC_EVT_PUMP_DELIV_COMP^MDC",
    "change": "0^MDC_EVT_PUMP_PARAMETER_CHANGE^MDC",
}
_SOURCE_ROW = "1.1.2.0"


class Written(NamedTuple):
    """A message ready to be queued."""

    type: str
    control_id: str
    raw: bytes


def write(report: Report, to: Addresses, *, now: datetime) -> Written:
    """Write a report as its message; told twice it has the same control id, so that it is told once."""
    match report:
        case DeviceReport():
            return _devices(report, to, now)
        case AlertReport():
            return _alert(report, to, now)
        case InfusionReport():
            return _infusion(report, to, now)
        case SpecimenReport():
            return _specimen(report, to, now)
        case ChartedReport():
            return _charted(report, to, now)
        case _:
            assert_never(report)


def _message(
    kind: str,
    key: tuple[str, ...],
    whom: Subject,
    body: Iterable[str],
    to: Addresses,
    now: datetime,
    profile: str = "",
) -> Written:
    control_id = control_id_of(*key)
    head = msh(kind, control_id, to, now, demo=whom.demo, profile=profile)
    raw = message([head, pid(whom, to), pv1(whom), *body])
    return Written("^".join(kind.split("^")[:2]), control_id, raw)


class _Rows:
    """Numbers OBX rows."""

    def __init__(self, to: Addresses) -> None:
        self._to, self._count = to, 0

    def add(self, code: str, where: str, said: dict[int, str] | None = None, *, kind: str = "") -> str:
        """Write the next row; ``said`` are its other fields."""
        self._count += 1
        return line("OBX", {1: str(self._count), 2: kind, 3: code, 4: where, 11: "R", **(said or {})})

    def node(self, node: mdc.Node, where: str, device: str = "") -> str:
        """Write a row of the containment tree."""
        return self.add(node.coded, where, {11: "X", 18: escape(device)})

    def value(self, one: ToldValue, where: str) -> str:
        """Write a value with its validity and time."""
        flag, state = mdc.status(one.validity)
        return self.add(mdc.coded(one.code), where, {
            5: plain(one.value) if one.value is not None else "", 6: mdc.unit(one.code, one.unit),
            8: flag, 11: state if one.value is not None or flag else "X", 14: stamp(one.at, self._to.zone),
        }, kind="NM")  # fmt: skip


def _obr(number: str, code: str, at: datetime, to: Addresses, *, placer: str = "") -> str:
    filler = f"{escape(number)}^{escape(to.application)}"
    return line("OBR", {1: "1", 2: placer, 3: filler, 4: code, 7: stamp(at, to.zone)})


def _devices(report: DeviceReport, to: Addresses, now: datetime) -> Written:
    newest = max(one.at for one in report.values)
    key = ("devices", report.whom.mrn, report.device_id, newest.isoformat())
    system = mdc.system_of(report.kind)
    body = [_obr(control_id_of(*key), system.coded, newest, to), *_tree(report, system, to)]
    return _message("ORU^R01^ORU_R01", key, report.whom, body, to, now, PCD01)


def _tree(report: DeviceReport, system: mdc.Node, to: Addresses) -> Iterator[str]:
    """Write the rows of a device in order: the system, each virtual device, each channel, its values."""
    rows = _Rows(to)
    yield rows.node(system, "1.0.0.0", report.device_id)
    parts: dict[mdc.Node, dict[mdc.Node, list[ToldValue]]] = {}
    for one in report.values:
        vmd, channel = mdc.parts_of(one.code)
        parts.setdefault(vmd, {}).setdefault(channel, []).append(one)
    for number, (vmd, channels) in enumerate(parts.items(), start=1):
        yield rows.node(vmd, f"1.{number}.0.0")
        for place, (channel, values) in enumerate(channels.items(), start=1):
            yield rows.node(channel, f"1.{number}.{place}.0")
            for metric, one in enumerate(values, start=1):
                yield rows.value(one, f"1.{number}.{place}.{metric}")


def _alert(report: AlertReport, to: Addresses, now: datetime) -> Written:
    key = ("alert", report.id, report.phase, report.at.isoformat())
    body = [_obr(report.id, "196616^MDC_EVT_ALARM^MDC", report.at, to), *_facets(report, to)]
    return _message("ORU^R40^ORU_R40", key, report.whom, body, to, now, PCD04)


def _facets(report: AlertReport, to: Addresses) -> Iterator[str]:
    rows, mark = _Rows(to), "SP" if report.kind == "physiological" else "ST"
    row = CODES.get(report.code)
    where = f"1.1.1.{(row.mdc if row else None) or 0}"
    priority = _PRIORITY.get(report.priority, "PN")
    flags = "~".join(one for one in (_SIDE.get(report.condition, ""), priority, mark) if one)
    yield rows.node(mdc.METER, "1.0.0.0", report.device_id)
    yield rows.add(
        _event(report.condition), f"{where}.1",
        {5: escape(report.text), 8: flags, 14: stamp(report.at, to.zone)}, kind="ST",
    )  # fmt: skip
    yield _about(rows, report, f"{where}.2")
    words = (
        ("68481^MDC_ATTR_EVENT_PHASE^MDC", report.phase),
        ("68482^MDC_ATTR_ALARM_STATE^MDC", report.state),
        ("68483^MDC_ATTR_ALARM_INACTIVATION_STATE^MDC",
         "alert-acknowledged" if report.acknowledged else "enabled"),
        ("68484^MDC_ATTR_ALARM_PRIORITY^MDC", priority),
        ("68485^MDC_ATTR_ALERT_TYPE^MDC", mark),
    )  # fmt: skip
    for facet, (code, word) in enumerate(words, start=3):
        yield rows.add(code, f"{where}.{facet}", {5: word}, kind="ST")


def _event(condition: str) -> str:
    own = f"0^MDCX_EVT_{condition.upper().replace('-', '_')}^MDC"
    return _EVENTS.get(condition, own)


def _about(rows: _Rows, report: AlertReport, where: str) -> str:
    if report.measured is None:
        source = {5: mdc.METER.coded if report.device_id else ""}
        return rows.add("68480^MDC_ATTR_ALERT_SOURCE^MDC", where, source, kind="CWE")
    said = {5: plain(report.measured), 6: mdc.unit(report.code, report.unit), 7: report.limit}
    return rows.add(mdc.coded(report.code) if report.code else "0^MDCX_VALUE^MDC", where, said, kind="NM")


def _infusion(report: InfusionReport, to: Addresses, now: datetime) -> Written:
    key = ("infusion", report.infusion_id, report.event, report.at.isoformat(), str(report.rate_ml_h))
    drug = f"{escape(report.drug_code)}^{escape(report.drug)}"
    placer = escape(report.placer_id)
    body = [_obr(report.infusion_id, drug, report.at, to, placer=placer), *_delivery(report, to)]
    return _message("ORU^R42^ORU_R01", key, report.whom, body, to, now, PCD10)


def _delivery(report: InfusionReport, to: Addresses) -> Iterator[str]:
    rows, on = _Rows(to), report.flowing
    state = "delivering" if on else "not-delivering"
    yield rows.node(mdc.PUMP, "1.0.0.0", report.device_id)
    yield rows.add("68487^MDC_ATTR_EVT_COND^MDC", "1.0.0.1", {5: _INFUSION_EVENTS[report.event]}, kind="CWE")
    yield rows.add("68488^MDC_ATTR_EVT_SOURCE^MDC", "1.0.0.2", {5: _SOURCE_ROW}, kind="ST")
    yield rows.node(mdc.PUMP_VMD, "1.1.0.0")
    yield rows.node(mdc.DELIVERY, "1.1.1.0")
    infusing = "^pump-status-infusing" if on else "^pump-status-not-infusing"
    yield rows.add("184519^MDC_PUMP_INFUSING_STATUS^MDC", "1.1.1.1", {5: infusing}, kind="CWE")
    yield rows.node(mdc.SOURCE, _SOURCE_ROW)
    yield rows.add(
        "158005^MDC_DEV_PUMP_CURRENT_DELIVERY_STATUS^MDC", "1.1.2.1",
        {5: f"^pump-delivery-status-{state}"}, kind="CWE",
    )  # fmt: skip
    yield from _amounts(rows, report)
    yield rows.add("184514^MDC_DRUG_NAME_LABEL^MDC", "1.1.2.9", {5: escape(report.drug)}, kind="ST")


def _amounts(rows: _Rows, report: InfusionReport) -> Iterator[str]:
    amounts: tuple[tuple[str, Decimal | None, str], ...] = (
        ("MDC_FLOW_FLUID_PUMP", report.rate_ml_h, "mL/h"),
        ("MDC_VOL_FLUID_TBI", report.volume_ml, "mL"),
        ("MDC_VOL_FLUID_DELIV_TOTAL", report.infused_ml, "mL"),
        ("MDC_VOL_FLUID_TBI_REMAIN", report.remaining_ml, "mL"),
    )
    for metric, (code, value, ucum) in enumerate(amounts, start=2):
        if value is not None:
            yield rows.value(ToldValue(code=code, value=value, unit=ucum, at=report.at), f"1.1.2.{metric}")


def _specimen(report: SpecimenReport, to: Addresses, now: datetime) -> Written:
    taken, number = stamp(report.collected_at, to.zone), f"{escape(report.specimen_id)}"
    test = f"{escape(report.test_code)}^{escape(report.test)}"
    placer, filler = escape(report.placer_id), escape(report.filler_id)
    who = person(report.by, report.by_name)
    body = [
        line("ORC", {1: "SC", 2: placer, 3: filler, 5: "IP", 9: taken}),
        line("OBR", {1: "1", 2: placer, 3: filler, 4: test, 7: taken, 10: who}),
        line("SPM", {1: "1", 2: f"{number}^{number}", 4: "", 17: taken, 27: escape(report.container)}),
    ]
    return _message("OML^O21^OML_O21", ("specimen", report.specimen_id), report.whom, body, to, now)


def _charted(report: ChartedReport, to: Addresses, now: datetime) -> Written:
    rows = _Rows(to)
    who = person(report.by, report.by_name)
    body = [_obr(report.id, "8716-3^Vital signs^LN", report.at, to)]
    body += [
        rows.add(mdc.coded(one.code), "", {
            5: plain(one.value) if one.value is not None else "", 6: mdc.unit(one.code, one.unit),
            11: "F", 14: stamp(one.at, to.zone), 16: who,
        }, kind="NM")
        for one in report.values
    ]  # fmt: skip
    return _message("ORU^R01^ORU_R01", ("charted", report.id), report.whom, body, to, now)
