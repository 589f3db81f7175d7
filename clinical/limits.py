"""Limits of vital signs: what is possible at all, and where an adult alarm begins by default.

*Absolute* bounds are where the number cannot be a living person's or the sensor's; a value outside is never
shown as valid. *Advised* bounds are the default alarm limits of adults; they are not valid for children.

Source: user manuals of Mindray TM80 (p. 64), Edan M3A and Contec CMS8000; absolute bounds are proposals.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from clinical.records import AlarmPriority, age_years

LOW, HIGH = "limit-low", "limit-high"
"""The two conditions of a value outside its limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Bounds of one code in its UCUM unit; all bounds are still inside."""

    code: str
    unit: str
    absolute_low: Decimal
    absolute_high: Decimal
    low: Decimal | None
    high: Decimal | None
    critical_low: Decimal | None = None
    hysteresis: Decimal = Decimal(0)
    source: str = ""

    def is_possible(self, value: Decimal) -> bool:
        """Tell whether a value can be true at all."""
        return self.absolute_low <= value <= self.absolute_high

    def judge(self, value: Decimal, *, standing: str = "") -> str:
        """Return ``""``, ``limit-low`` or ``limit-high``.

        Args:
            value: In this limit's unit.
            standing: What was judged last; it ends only when the value is back by the hysteresis.
        """
        low_margin = self.hysteresis if standing == LOW else Decimal(0)
        high_margin = self.hysteresis if standing == HIGH else Decimal(0)
        if self.low is not None and value < self.low + low_margin:
            return LOW
        if self.high is not None and value > self.high - high_margin:
            return HIGH
        return ""

    def is_critical(self, value: Decimal) -> bool:
        """Tell whether a low value is of high priority, like a desaturation."""
        return self.critical_low is not None and value < self.critical_low


_MONITOR = "Mindray TM80 p.64; Edan M3A; Contec CMS8000"
_SITE = "hospital setting (proposal)"
_ROWS = (
    ("MDC_PULS_OXIM_SAT_O2", "%", "1", "100", "90", None, "80", "1", _MONITOR),
    ("MDC_PULS_OXIM_PULS_RATE", "/min", "18", "321", "50", "120", None, "2", _MONITOR),
    ("MDC_ECG_HEART_RATE", "/min", "10", "350", "50", "120", None, "2", _MONITOR),
    ("MDC_PULS_RATE", "/min", "10", "350", "50", "120", None, "2", _MONITOR),
    ("MDC_PULS_RATE_NON_INV", "/min", "10", "350", "50", "120", None, "2", _MONITOR),
    ("MDC_RESP_RATE", "/min", "0", "150", "8", "30", None, "1", _MONITOR),
    ("MDC_PRESS_BLD_NONINV_SYS", "mm[Hg]", "30", "300", "90", "160", None, "0", _MONITOR),
    ("MDC_PRESS_BLD_NONINV_DIA", "mm[Hg]", "10", "250", "50", "90", None, "0", _MONITOR),
    ("MDC_PRESS_BLD_NONINV_MEAN", "mm[Hg]", "15", "270", "60", "110", None, "0", _MONITOR),
    ("MDC_TEMP_BODY", "Cel", "25", "45", "36", "39", None, "0.1", _MONITOR),
    ("MDC_TEMP_AXILLA", "Cel", "25", "45", "36", "39", None, "0.1", _MONITOR),
    ("MDC_TEMP_EAR", "Cel", "25", "45", "36", "39", None, "0.1", _MONITOR),
    ("MDC_TEMP_ORAL", "Cel", "25", "45", "36", "39", None, "0.1", _MONITOR),
    ("MDC_TEMP_RECT", "Cel", "25", "45", "36", "39", None, "0.1", _MONITOR),
    ("MDC_CONC_GLU_GEN", "mmol/L", "0.6", "55", "3.9", "16.7", "2.8", "0", _SITE),
    ("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", "mmol/L", "0.6", "55", "3.9", "16.7", "2.8", "0", _SITE),
    ("MDC_CONC_K_GEN", "mmol/L", "1", "15", "3.5", "5.5", "2.8", "0", _SITE),
)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


ADULT: dict[str, Limit] = {
    code: Limit(
        code=code, unit=unit, absolute_low=Decimal(least), absolute_high=Decimal(most), low=_number(low),
        high=_number(high), critical_low=_number(critical), hysteresis=Decimal(hysteresis), source=source,
    )
    for code, unit, least, most, low, high, critical, hysteresis, source in _ROWS
}  # fmt: skip
"""Default limits of adults by MDC reference id."""

CONTINUOUS = frozenset({
    "MDC_PULS_OXIM_SAT_O2", "MDC_PULS_OXIM_PULS_RATE", "MDC_ECG_HEART_RATE", "MDC_PULS_RATE", "MDC_RESP_RATE",
})  # fmt: skip
"""Codes measured every second: in silence nothing is known. Any other value holds until the next one."""
ADULT_YEARS = 18


def is_adult(born: date | None, today: date) -> bool:
    """Tell whether the limits of adults apply; a person whose birth date nobody knows counts as one."""
    return born is None or age_years(born, today) >= ADULT_YEARS


def priority(limit: Limit, verdict: str, value: Decimal) -> AlarmPriority:
    """Return how an alarm of a value outside its limits sounds: a critically low one is of high priority."""
    critical = verdict == LOW and limit.is_critical(value)
    return AlarmPriority.HIGH if critical else AlarmPriority.MEDIUM


def params(limit: Limit, verdict: str, value: Decimal) -> dict[str, str | float]:
    """Return what an alarm of a value outside its limits says: code, unit, value and the bound it crossed."""
    bound = limit.low if verdict == LOW else limit.high
    return {"code": limit.code, "unit": limit.unit, "measured": float(value), "limit": float(bound or 0)}
