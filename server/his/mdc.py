"""IEEE 11073 nomenclature of what we send: the containment tree of a device, units, alert facets.

Numbers are those of published IHE PCD messages. What has no published number there is sent with the number 0
and its name, as gateways do.
"""

from __future__ import annotations

from dataclasses import dataclass

from clinical.codes import CODES, FLOW_CODES
from clinical.records import Validity

MDC = "MDC"
_UNITS = {
    "%": (262688, "MDC_DIM_PERCENT"),
    "1": (262656, "MDC_DIM_DIMLESS"),
    "mm[Hg]": (266016, "MDC_DIM_MMHG"),
    "Cel": (268192, "MDC_DIM_DEGC"),
    "mL": (263762, "MDC_DIM_MILLI_L"),
    "mL/h": (265266, "MDC_DIM_MILLI_L_PER_HR"),
    "kg": (263875, "MDC_DIM_KILO_G"),
    "min": (264352, "MDC_DIM_MIN"),
    "s": (264320, "MDC_DIM_SEC"),
}
_RATES = {
    "MDC_RESP_RATE": (264928, "MDC_DIM_RESP_PER_MIN"),
}
_BEATS = (264864, "MDC_DIM_BEAT_PER_MIN")


@dataclass(frozen=True, slots=True)
class Node:
    """A row of the tree: its number and name."""

    number: int
    name: str

    @property
    def coded(self) -> str:
        """As OBX-3 says it."""
        return f"{self.number}^{self.name}^{MDC}"


MONITOR = Node(69965, "MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS")
METER = Node(69837, "MDC_DEV_METER_PHYSIO_MULTI_PARAM_MDS")
PUMP = Node(69985, "MDC_DEV_PUMP_INFUS_MDS")
PUMP_VMD = Node(69986, "MDC_DEV_PUMP_INFUS_VMD")
DELIVERY = Node(70067, "MDC_DEV_PUMP_DELIVERY_INFO")
SOURCE = Node(70071, "MDC_DEV_PUMP_INFUSATE_SOURCE_PRIMARY")
_METER_VMD = Node(69838, "MDC_DEV_METER_PHYSIO_MULTI_PARAM_VMD")
_PARTS: tuple[tuple[str, Node, Node], ...] = (
    ("MDC_PULS_OXIM_", Node(69642, "MDC_DEV_ANALY_SAT_O2_VMD"), Node(70771, "MDC_DEV_ANALY_PERF_REL_CHAN")),
    ("MDC_PRESS_BLD_NONINV", Node(70686, "MDC_DEV_PRESS_BLD_NONINV_VMD"),
     Node(70687, "MDC_DEV_PRESS_BLD_NONINV_CHAN")),
    ("MDC_PULS_RATE_NON_INV", Node(70686, "MDC_DEV_PRESS_BLD_NONINV_VMD"),
     Node(70675, "MDC_DEV_PULS_CHAN")),
    ("MDC_ECG_", Node(4262, "MDC_DEV_ECG_VMD"), Node(4263, "MDC_DEV_ECG_CHAN")),
    ("MDC_RESP_", Node(4262, "MDC_DEV_ECG_VMD"), Node(4263, "MDC_DEV_ECG_CHAN")),
)  # fmt: skip
_OTHER = (_METER_VMD, Node(0, "MDCX_DEV_METER_CHAN"))
_INFUSION_KINDS = frozenset({"drip-sensor", "infusion-pump", "syringe-pump"})
_MONITOR_KINDS = frozenset({"monitor", "patient-monitor"})


def system_of(kind: str) -> Node:
    """Return the top row of a device of this kind."""
    if kind in _INFUSION_KINDS:
        return PUMP
    return MONITOR if kind in _MONITOR_KINDS else METER


def parts_of(code: str) -> tuple[Node, Node]:
    """Return the virtual device and the channel to which a value belongs."""
    if code in FLOW_CODES:
        return PUMP_VMD, DELIVERY
    return next(((vmd, chan) for start, vmd, chan in _PARTS if code.startswith(start)), _OTHER)


def coded(code: str) -> str:
    """Write a value's code: its MDC number and name, with LOINC beside it where there is one."""
    row = CODES.get(code)
    own = f"{(row.mdc if row else None) or 0}^{code}^{MDC}"
    return f"{own}^{row.loinc}^{row.label.en}^LN" if row is not None and row.loinc else own


def unit(code: str, ucum: str) -> str:
    """Write a unit: its MDC number and name with UCUM beside it, or UCUM alone."""
    if not ucum:
        return ""
    found = _RATES.get(code, _BEATS) if ucum == "/min" else _UNITS.get(ucum)
    own = f"{ucum}^{ucum}^UCUM"
    return f"{found[0]}^{found[1]}^{MDC}^{own}" if found is not None else own


_STATUS = {  # OBX-8 and OBX-11, IHE PCD TF-2 appendix B
    Validity.VALID: ("", "R"),
    Validity.VALIDATED: ("", "F"),
    Validity.QUESTIONABLE: ("QUES", "R"),
    Validity.CALIBRATING: ("CAL", "R"),
    Validity.ONGOING: ("BUSY", "X"),
    Validity.NOT_AVAILABLE: ("NAV", "X"),
}


def status(validity: Validity) -> tuple[str, str]:
    """Return the flag and the status of a value; what may not be used is "invalid"."""
    return _STATUS.get(validity, ("INV", "X"))
