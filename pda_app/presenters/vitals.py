"""The newest vital signs of a patient, each with its time."""

from __future__ import annotations

from clinical.codes import CODES
from clinical.records import Observation
from pda_app.book import RELIABLE
from pda_app.presenters import words
from pda_app.presenters.desk import Desk
from pda_app.presenters.states import Tone, VitalTile

_VITALS = (
    "MDC_PULS_OXIM_PULS_RATE", "MDC_ECG_HEART_RATE", "MDC_PULS_RATE", "MDC_PULS_OXIM_SAT_O2", "MDC_RESP_RATE",
    "MDC_PRESS_BLD_NONINV_SYS", "MDC_PRESS_BLD_NONINV_DIA", "MDC_TEMP_BODY", "MDC_CONC_GLU_GEN",
)  # fmt: skip


def newest(desk: Desk, patient_id: str) -> tuple[VitalTile, ...]:
    """The newest value of each vital sign; one that is not valid shows no number."""
    found: dict[str, Observation] = {}
    for one in desk.book.all(Observation):
        known = found.get(one.code)
        if one.patient_id == patient_id and (known is None or known.effective < one.effective):
            found[one.code] = one
    return tuple(_tile(desk, found[code]) for code in _VITALS if code in found)


def _tile(desk: Desk, one: Observation) -> VitalTile:
    code = CODES[one.code]
    reliable = one.value is not None and one.validity in RELIABLE
    shown = words.number(one.value, code.decimals) if reliable and one.value is not None else "--"
    return VitalTile(
        code=one.code,
        label=code.label,
        value=shown,
        unit=words.unit(one.unit),
        at=desk.hhmm(one.effective),
        tone=Tone.PLAIN if reliable else Tone.WARN,
    )
