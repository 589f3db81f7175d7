"""What happens in a shift, made from a seed: everything the outside world does, minute by minute.

A scenario is plain data. It knows nothing of the product: who comes and goes, what is ordered and changed,
what each nurse sets out to do, and which parts fail when. Playing it is :mod:`tests.support.shift_play`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

BEDS = tuple(f"{number:02d}" for number in range(1, 45))
"""Forty patients and four free beds to move to."""
NURSES = ("N20713", "N20488")
TABLETS = tuple(f"TAB-{letter}" for letter in "ABCDEFGHIJKLMNOP")
"""Enough that nobody is ordered one twice: a dose that was held back may still be given later."""
BAGS = {"NS100": 100, "NS250": 250}
BEDS_PER_NODE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens. ``minute`` counts from the begin of the shift; its fraction orders steps."""

    minute: float
    do: str
    mrn: str = ""
    placer: str = ""
    nurse: str = ""
    node: str = ""
    said: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Patient:
    mrn: str
    bed: str
    busy_until: float = 0.0  # an infusion runs, or something else is planned
    stays: bool = False  # has a standing order for the whole shift
    drugs: int = 0  # ordered so far


class ScenarioWriter:
    """Writes a shift hour by hour; each hour has everything that can happen in it at least once."""

    def __init__(self, seed: int, hours: int, patients: int = 40) -> None:
        self._random = random.Random(seed)
        self._hours, self._count = hours, patients
        self.steps: list[Step] = []
        self._here: dict[str, _Patient] = {}
        self._free = list(BEDS)
        self._numbers = {"mrn": 0, "order": 0}

    def write(self) -> list[Step]:
        """The whole shift, in order of time; equal moments keep the order they were written in."""
        for _ in range(self._count):
            self._admit(-30)
        self._standing()
        for hour in range(self._hours):
            self._hour(hour * 60.0)
        return sorted(self.steps, key=lambda step: step.minute)

    # ---- words
    def _add(self, minute: float, do: str, mrn: str = "", placer: str = "", **said: str) -> None:
        nurse, node = said.pop("nurse", ""), said.pop("node", "")
        step = Step(minute=minute, do=do, mrn=mrn, placer=placer, nurse=nurse, node=node, said=said)
        self.steps.append(step)

    def _number(self, kind: str) -> int:
        self._numbers[kind] += 1
        return self._numbers[kind]

    def _nurse(self, patient: _Patient) -> str:
        return NURSES[BEDS.index(patient.bed) >= len(BEDS) // 2]

    def _admit(self, minute: float) -> _Patient:
        bed = self._free.pop(0)
        patient = _Patient(mrn=f"M{self._number('mrn'):05d}", bed=bed)
        self._here[patient.mrn] = patient
        self._add(minute, "admit", patient.mrn, bed=bed)
        return patient

    def _pick(
        self, count: int, minute: float, until: float, *, leaving: bool = False, nurse: str = ""
    ) -> list[_Patient]:
        """Patients with nothing else planned until then; taken, so that nobody has two things at one time."""
        free = [one for one in self._here.values() if one.busy_until <= minute]
        free = [one for one in free if not (leaving and one.stays) and nurse in {"", self._nurse(one)}]
        chosen = self._random.sample(free, min(count, len(free)))
        for one in chosen:
            one.busy_until = until
        return chosen

    def _standing(self) -> None:
        """Eight patients with a drug three times in the shift, at clock times that the order names."""
        for number, patient in enumerate(self._random.sample(list(self._here.values()), 8)):
            patient.stays = True
            placer, slots = f"S{self._number('order'):05d}", [50.0 + number + 240 * n for n in range(3)]
            times = "~".join(f"{8 + int(slot) // 60:02d}{int(slot) % 60:02d}" for slot in slots)
            self._add(-20, "order-standing", patient.mrn, placer, drug="TAB-S", times=times, due="-15")
            for slot in slots:
                if slot < self._hours * 60:
                    said = {"nurse": self._nurse(patient), "slot": str(slot)}
                    self._add(slot + 0.7, "give", patient.mrn, placer, **said)

    # ---- one hour
    def _hour(self, begin: float) -> None:
        self._moves(begin)
        self._trouble(begin)
        self._drips(begin)
        self._changes(begin)
        self._tablets(begin)

    def _tablet(self, begin: float, patient: _Patient, due: float, **said: str) -> str:
        placer = f"T{self._number('order'):05d}"
        drug = TABLETS[patient.drugs % len(TABLETS)]
        patient.drugs += 1
        self._add(begin + 0.4, "order-tablet", patient.mrn, placer, drug=drug, due=str(due), **said)
        return placer

    def _tablets(self, begin: float) -> None:
        """Ordered at the begin of the hour, given in rows: no nurse does two things in one minute."""
        rows = self._pick(18, begin, begin + 60)
        outcomes = ["give"] * 13 + ["refuse", "hold-back", "skip", "wrong-then-right", "race"]
        for number, (patient, outcome) in enumerate(zip(rows, outcomes, strict=False)):
            due = begin + 6 + 2.0 * number
            ends = {"end": str(due + 14)} if outcome == "skip" else {}
            placer = self._tablet(begin, patient, due, **ends)
            if outcome != "skip":
                self._add(due + 0.5, outcome, patient.mrn, placer, nurse=self._nurse(patient))

    def _bag(self, begin: float, patient: _Patient, due: float, rate: int) -> tuple[str, float]:
        placer = f"D{self._number('order'):05d}"
        bag = "NS100"
        minutes = BAGS[bag] * 60 / rate
        self._add(
            begin + 0.4, "order-drip", patient.mrn, placer, bag=bag, rate=str(rate), due=str(due),
            volume=str(BAGS[bag]),
        )  # fmt: skip
        return placer, minutes

    def _drips(self, begin: float) -> None:
        """Six drips an hour: four run through, one is stopped early with its order, one moves along."""
        for number, patient in enumerate(self._pick(6, begin, begin + 60)):
            due = begin + 3 + 1.0 * number
            rate = self._random.choice((180, 200, 240))
            placer, minutes = self._bag(begin, patient, due, rate)
            nurse = self._nurse(patient)
            self._add(due - 1.8, "prepare", patient.mrn, placer)
            self._add(due + 0.4, "start", patient.mrn, placer, nurse=nurse)
            end = due + minutes + 3
            if number == 0:
                self._add(due + 12.3, "stop", patient.mrn, placer)
                self._add(due + 14.6, "stop-early", patient.mrn, placer, nurse=nurse)
                continue
            if number == 1:
                self._move_in_an_outage(patient, due)
            if number == 2:
                self._occlusion(patient, placer, due + 5)
            if number == 4:
                self._another_rate(patient, placer, due, nurse)
            if number == 3:
                self._add(due + 8.6, "patrol", patient.mrn, placer, nurse=nurse)
            self._add(end + 0.6, "finish", patient.mrn, placer, nurse=nurse)

    def _another_rate(self, patient: _Patient, placer: str, due: float, nurse: str) -> None:
        """A doctor orders another rate while the bag runs; the nurse turns the clamp when she is told."""
        self._add(
            due + 6.2, "change-drip", patient.mrn, placer, bag="NS100", volume="100", rate="150", due=str(due)
        )
        self._add(due + 8.8, "set-rate", patient.mrn, placer, nurse=nurse)

    def _move_in_an_outage(self, patient: _Patient, due: float) -> None:
        """The node goes silent, the patient moves with a running drip, the backlog follows."""
        node = node_of(patient.bed)
        self._add(due + 3.1, "node-down", node=node)
        self._to_a_free_bed(patient, due + 6.3)
        self._add(due + 11.1, "node-up", node=node)

    def _occlusion(self, patient: _Patient, placer: str, at: float) -> None:
        """The node judges that nothing flows, and later that it does again."""
        self._add(at + 0.1, "alarm-begins", patient.mrn, placer)
        self._add(at + 6.1, "alarm-ends", patient.mrn, placer)

    def _changes(self, begin: float) -> None:
        """Changed, held and released, held for good, cancelled: each on an order of its own."""
        fates = ("change", "change-after-label", "hold-release", "hold", "stop", "cancel")
        for number, (patient, fate) in enumerate(
            zip(self._pick(len(fates), begin, begin + 60), fates, strict=False)
        ):
            due = begin + 43 + 1.0 * number
            nurse = self._nurse(patient)
            if fate == "change-after-label":
                self._changed_after_its_label(begin, patient, due, nurse)
                continue
            ends = {"end": str(due + 9)} if fate == "hold" else {}
            placer = self._tablet(begin, patient, due, **ends)
            if fate == "change":
                self._add(begin + 20.3, "change-tablet", patient.mrn, placer, amount="2", due=str(due))
                self._add(due + 0.5, "give", patient.mrn, placer, nurse=nurse)
            elif fate == "hold-release":
                self._add(begin + 15.3, "hold", patient.mrn, placer)
                self._add(begin + 30.3, "release", patient.mrn, placer)
                self._add(due + 0.5, "give", patient.mrn, placer, nurse=nurse)
            else:
                self._add(begin + 18.3, fate, patient.mrn, placer)
                self._add(due + 0.5, "refused-by-check", patient.mrn, placer, nurse=nurse)

    def _changed_after_its_label(self, begin: float, patient: _Patient, due: float, nurse: str) -> None:
        """The bag hangs ready when its order changes: the old label is refused, a new one is made."""
        placer, _minutes = self._bag(begin, patient, due, 120)
        self._add(due - 9.8, "prepare", patient.mrn, placer)
        self._add(
            due - 6.7,
            "change-drip",
            patient.mrn,
            placer,
            bag="NS250",
            volume="250",
            rate="1000",
            due=str(due),
        )
        self._add(due - 3.4, "old-label", patient.mrn, placer, nurse=nurse)
        self._add(due - 1.8, "prepare", patient.mrn, placer)
        self._add(due + 0.4, "start", patient.mrn, placer, nurse=nurse)
        self._add(due + 14.6, "finish", patient.mrn, placer, nurse=nurse)

    def _moves(self, begin: float) -> None:
        """One goes home, one comes, one changes bed; the one who goes home leaves an order behind."""
        for patient in self._pick(1, begin, begin + 60, leaving=True):
            self._tablet(begin, patient, begin + 55)
            self._add(begin + 33.3, "discharge", patient.mrn)
            del self._here[patient.mrn]
            self._free.append(patient.bed)
        self._admit(begin + 36.3).busy_until = begin + 60
        for patient in self._pick(1, begin, begin + 60):
            self._to_a_free_bed(patient, begin + 38.3)

    def _to_a_free_bed(self, patient: _Patient, minute: float) -> None:
        before, patient.bed = patient.bed, self._free.pop(0)
        self._free.append(before)
        self._add(minute, "move", patient.mrn, bed=patient.bed, prior=before)

    def _trouble(self, begin: float) -> None:
        """Wi-Fi holes for either nurse, a silent node that had to forget, a broker that is killed."""
        first, second = self._random.sample(NURSES, 2)
        self._add(begin + 9.2, "wifi-down", nurse=first)
        for patient in self._pick(1, begin, begin + 60, nurse=first):
            placer = self._tablet(begin, patient, begin + 11)
            self._add(begin + 10.3, "stop", patient.mrn, placer)
            self._add(begin + 11.5, "give-unaware", patient.mrn, placer, nurse=first)
        self._add(begin + 13.2, "wifi-up", nurse=first)
        self._add(begin + 22.2, "wifi-swallows", nurse=second)
        self._add(begin + 26.2, "wifi-up", nurse=second)
        node = node_of(self._random.choice(BEDS[::8]))  # one with a probe: it has something to forget
        self._add(begin + 28.1, "node-down", node=node)
        self._add(begin + 34.1, "node-forgets", node=node)
        self._add(begin + 35.1, "node-up", node=node)
        if begin % 240 == 0:
            self._add(begin + 40.1, "broker-down")
            self._add(begin + 41.1, "broker-up")


def node_of(bed: str) -> str:
    """The bedside node that serves a bed."""
    return f"node-{(int(bed) - 1) // BEDS_PER_NODE + 1:02d}"


def nodes() -> dict[str, list[str]]:
    """Every node and its beds."""
    served: dict[str, list[str]] = {}
    for bed in BEDS:
        served.setdefault(node_of(bed), []).append(bed)
    return served
