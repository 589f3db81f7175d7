"""What the nurse has scanned, typed and chosen so far in one medication check."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation

from clinical.bedside_check.model import (
    Action,
    CheckRequest,
    Confirmation,
    Entered,
    HandheldState,
    Operator,
    Override,
    Scan,
    Witness,
)
from pda_app.book import aged
from pda_app.presenters.states import Text

MAX_VOLUME_ML = Decimal(5000)
"""Larger than any bag: whatever lies above is a slip or a barcode that landed in the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, on what, when, seeing which facts."""

    id: str
    now: datetime
    handheld: HandheldState
    operator: Operator
    snapshot_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Immutable; every scan and touch makes the next one."""

    action: Action = Action.GIVE
    infusion_id: str = ""  # of the running transfusion that is looked at
    entered: Entered = field(default_factory=Entered)  # what only samples, blood and skin tests ask for
    texts: tuple[tuple[str, str], ...] = ()  # numbers as typed, by field
    patient_scan: Scan | None = None
    items: tuple[Scan, ...] = ()
    task_id: str = ""
    volume: str = ""  # as typed
    device_id: str = ""
    site: str = ""
    prn_reason: str = ""
    reason: str = ""
    reason_text: str = ""
    overrides: tuple[Override, ...] = ()
    witness: Witness | None = None
    second_open: bool = False  # somebody is calculating: the second person, then the nurse where it is needed
    own_turn: bool = False  # it is the nurse's turn
    second: str = ""  # as typed by whose turn it is; never shown afterwards
    own: Decimal | None = None  # what the nurse calculated
    pin_turn: bool = False  # the second person types her PIN
    pin: str = field(default="", repr=False)  # only until it is answered
    pin_trouble: Text = ""  # why the last PIN was not taken
    confirmations: tuple[Confirmation, ...] = ()  # what proves that the second person was here

    @property
    def is_empty(self) -> bool:
        """Nothing has been scanned or chosen."""
        return self.patient_scan is None and not self.items and not self.task_id

    @property
    def volume_ml(self) -> Decimal | None:
        """The typed volume, None while it is not a volume."""
        return volume(self.volume)

    @property
    def second_value(self) -> Decimal | None:
        """What was calculated, None while it is not a number above 0."""
        return amount(self.second)

    def calculated(self) -> Draft:
        """Take the value that was typed: the second person's travels with the witness."""
        if self.witness is None:
            return self
        if self.own_turn:
            return replace(self, own=self.second_value, second_open=False, own_turn=False, second="")
        witness = replace(self.witness, value=self.second_value)
        return replace(self, witness=witness, second_open=False, second="")

    def typed(self, text: str) -> Draft:
        """Take what is on the sheet now; of a PIN the sheet shows dots, so only what is new is read."""
        if not self.pin_turn:
            return replace(self, second=text.strip())
        shorter = len(text) < len(self.pin)
        return replace(self, pin=self.pin[: len(text)] if shorter else self.pin + text[len(self.pin) :])

    def asks_pin(self) -> Draft:
        """Ask the second person for her PIN."""
        return replace(self, second_open=True, pin_turn=True, pin="", pin_trouble="", second="")

    def closed(self) -> Draft:
        """Put the sheet away."""
        return replace(
            self, second_open=False, own_turn=False, pin_turn=False, pin="", pin_trouble="", second=""
        )

    def unanswered(self, **changes: object) -> Draft:
        """Change what is asked: reasons given for the old question do not answer the new one."""
        cleared = replace(self, overrides=(), reason="", reason_text="")
        return replace(cleared, **changes)  # type: ignore[arg-type]

    def another(self, **changes: object) -> Draft:
        """Make it another question: no reason and no second person's word for the old one counts for it."""
        return self.unanswered(witness=None, own=None, confirmations=(), **changes)

    def request(self, asker: Asker) -> CheckRequest:
        """Make the question for the bedside check; a scan from the future counts as one long ago."""
        now, witness = asker.now, self.witness
        if witness is not None:
            own = tuple(_dated(one, now) for one in witness.scans)
            witness = replace(witness, badge_at=aged(witness.badge_at, now), scans=own)
        return CheckRequest(
            id=asker.id,
            action=self.action,
            now=now,
            handheld=asker.handheld,
            operator=asker.operator,
            patient_scan=_dated(self.patient_scan, now) if self.patient_scan is not None else None,
            items=tuple(_dated(one, now) for one in self.items),
            entered=replace(
                self.entered,
                site=self.site,
                volume_left_ml=self.volume_ml,
                prn_reason=self.prn_reason,
                reason_code=self.reason,
                reason_text=self.reason_text,
                device_id=self.device_id,
                calculated=self.own,
            ),
            witness=witness,
            overrides=self.overrides,
            confirmations=self.confirmations,
            task_id=self.task_id,
            infusion_id=self.infusion_id,
            snapshot_version=asker.snapshot_version,
        )


def _dated(scan: Scan, now: datetime) -> Scan:
    return replace(scan, at=aged(scan.at, now))


def volume(text: str) -> Decimal | None:
    """Read a volume in mL; None unless it is a plain number above 0 and not larger than any bag."""
    if not (text.isascii() and text.replace(".", "", 1).isdecimal()) or len(text) > 7:
        return None
    value = amount(text)
    return value if value is not None and value <= MAX_VOLUME_ML else None


def amount(text: str) -> Decimal | None:
    """Read a plain number above 0."""
    try:
        value = Decimal(text) if text.isascii() else Decimal(0)
    except InvalidOperation:
        return None
    return value if value.is_finite() and value > 0 else None
