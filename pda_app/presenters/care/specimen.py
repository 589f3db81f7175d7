"""A sample: the wristband, then the tube's label, then the tube itself, in the order of draw."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from clinical import specimens
from clinical.bedside_check.model import Action, CheckResult, Right, Scan
from clinical.care_records import Specimen
from clinical.identifiers import Kind, resolve
from clinical.records import Order, Patient, Practitioner, Task
from pda_app.presenters import infusions, words
from pda_app.presenters.asked import Asked
from pda_app.presenters.care import plan
from pda_app.presenters.desk import Desk
from pda_app.presenters.draft import Draft
from pda_app.presenters.states import CareLine, ChoiceGroup, Msg, QueueLine, Text, Tone

_OPEN = frozenset({"planned", "printed"})
_ARMS = ("left-elbow", "right-elbow", "left-hand", "right-hand", "other")
_OTHER = "other-tube"


class Sampling:
    """The plan of a sample."""

    kind = "specimen"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def settle(self, draft: Draft) -> Draft:
        """A tube that was read brings its task, and the container it needs until another one is chosen."""
        draft = replace(draft, action=Action.COLLECT)
        tube = self._tube(draft)
        if tube is None:
            return draft
        chosen = draft.entered.container
        if not chosen and not self._other(draft):
            draft = replace(draft, entered=replace(draft.entered, container=tube.container))
        owner = plan.patient_of(self._desk, draft.patient_scan) if draft.patient_scan is not None else None
        if owner is not None and owner.id != tube.patient_id:
            return draft  # somebody else's tube: the check says so
        return replace(draft, task_id=tube.task_id or draft.task_id)

    def band(self, draft: Draft, scan: Scan) -> Draft:
        """Another wristband begins anew: a tube that was read before it belongs to nobody yet."""
        again = bool(draft.items)
        return draft.another(
            patient_scan=scan, items=(), texts=(), entered=replace(draft.entered, container=""),
            task_id="" if again else draft.task_id, site="" if again else draft.site,
        )  # fmt: skip

    def item(self, draft: Draft, scan: Scan) -> Draft:
        """The label of a tube: the one read last counts."""
        return draft.another(items=(scan,), texts=(), entered=replace(draft.entered, container=""))

    def choose(self, draft: Draft, group: str, code: str) -> Draft:
        """Another tube than the one that was asked for, or the arm it is taken from."""
        match group:
            case "other":
                return draft.another(texts=((_OTHER, "1"),), entered=replace(draft.entered, container=""))
            case "container":
                return draft.another(entered=replace(draft.entered, container=code))
            case "site":
                return draft.unanswered(site=code)
            case _:
                return draft

    def second_ready(self, draft: Draft) -> bool:
        """She looks at tube and wristband; there is nothing of her own to scan."""
        return draft.patient_scan is not None and bool(draft.items)

    def missing(self, draft: Draft, result: CheckResult) -> Text:
        """The arm when an infusion runs, and the second person of a cross-match."""
        tube = self._tube(draft)
        if tube is None or not result.patient_id or "container" in result.needs:
            return ""
        if not draft.site and infusions.running(self._desk, result.patient_id):
            return Msg("collect.choose-arm")
        return Msg("bedside.second-badge") if tube.second_person and draft.witness is None else ""

    def waiting(self, patient_id: str) -> list[Specimen]:
        """Tubes of this patient that are to be filled now, in the order of draw."""
        tubes = (one for one in self._desk.book.all(Specimen) if one.patient_id == patient_id)
        return sorted((one for one in tubes if one.state in _OPEN and self._is_due(one)), key=_rank)

    def _is_due(self, tube: Specimen) -> bool:
        task = self._desk.book.get(Task, tube.task_id)
        if task is None:
            return True
        return task.earliest is None or task.earliest <= self._desk.now()

    def parts(self, draft: Draft, asked: Asked) -> plan.Parts:
        """Draw."""
        result, tube = asked.result, self._tube(draft)
        patient_id = self._patient_id(draft, result)
        order = plan.order_of(self._desk, draft, result)
        need = Msg(f"container.{tube.container}") if tube is not None and tube.container else ""
        taken = draft.entered.container
        return plan.Parts(
            page_title=Msg("collect.title"),
            word=Msg("collect.word"),
            record=Msg.of("collect.record", tube=Msg(f"container.{taken}")) if taken else Msg("collect.done"),
            hint=Msg("collect.hint"),
            item=Msg("collect.scan-tube"),
            title=plan.heading(self._desk, order),
            detail=words.sample(order) if order is not None else "",
            steps=plan.steps(
                (Msg("collect.step-band"), bool(result.patient_id) and draft.patient_scan is not None),
                (Msg("collect.step-tube"), tube is not None),
                (Msg("collect.step-take"), False),
            ),
            lines=self._lines(draft, result, tube, need),
            groups=self._groups(draft, result, tube),
            queue_title=Msg("collect.queue"),
            queue=self._queue(patient_id, tube),
            other=Msg("collect.other")
            if tube is not None and tube.container and not self._other(draft)
            else "",
        )

    def event(self, draft: Draft, asked: Asked) -> plan.CareEvent | None:
        """The sample was taken."""
        return plan.recorded(self._desk, draft, asked, asked.result.bag_id)

    # --- parts --------------------------------------------------------------------------------------

    def _tube(self, draft: Draft) -> Specimen | None:
        if not draft.items:
            return None
        scan = draft.items[-1]
        seen = resolve(scan.raw, symbology=scan.symbology, prefixes=self._desk.book.policy.prefixes)
        number = seen.value if seen.kind == Kind.TUBE and seen.valid else scan.raw.strip()
        return self._desk.book.get(Specimen, number)

    @staticmethod
    def _other(draft: Draft) -> bool:
        return any(name == _OTHER for name, _ in draft.texts)

    def _patient_id(self, draft: Draft, result: CheckResult) -> str:
        task = self._desk.book.get(Task, draft.task_id)
        return result.patient_id or (task.patient_id if task is not None else "")

    def _lines(
        self, draft: Draft, result: CheckResult, tube: Specimen | None, need: Text
    ) -> tuple[CareLine, ...]:
        desk = self._desk
        patient = desk.book.get(Patient, result.patient_id)
        number = words.joined("dot", need, tube.id) if tube is not None else ""
        scanned = plan.scanned(desk, draft.items[-1] if draft.items else None)
        lines = [
            plan.line(
                result, Right.PATIENT, "patient", Msg("right.patient"), patient.mrn if patient else "",
                desk=desk, evidence=plan.scanned(desk, draft.patient_scan),
            ),
            plan.line(
                result, Right.DRUG, "specimen", Msg("collect.tube"), number, desk=desk, evidence=scanned
            ),
        ]  # fmt: skip
        if draft.site:
            site = Msg(f"site.{draft.site}")
            lines.append(plan.line(result, Right.ROUTE, "route", Msg("collect.arm"), site, desk=desk))
        if tube is not None and tube.second_person:
            who = desk.book.get(Practitioner, draft.witness.id) if draft.witness is not None else None
            name = who.name if who is not None else ""
            lines.append(
                plan.line(result, Right.WITNESS, "two-persons", Msg("right.witness"), name, desk=desk)
            )
        return tuple(lines)

    def _groups(self, draft: Draft, result: CheckResult, tube: Specimen | None) -> tuple[ChoiceGroup, ...]:
        found = []
        if tube is not None and self._other(draft):
            known = ((code, Msg(f"container.{code}")) for code in specimens.ORDER_OF_DRAW)
            found.append(
                plan.group("container", Msg("collect.which-tube"), known, (draft.entered.container,))
            )
        if result.patient_id and infusions.running(self._desk, result.patient_id):
            arms = ((code, Msg(f"site.{code}")) for code in _ARMS)
            found.append(plan.group("site", Msg("collect.which-arm"), arms, (draft.site,)))
        return tuple(found)

    def _queue(self, patient_id: str, tube: Specimen | None) -> tuple[QueueLine, ...]:
        """What is still to be filled, in order; then what waits for the laboratory."""
        if not patient_id:
            return ()
        open_now = self.waiting(patient_id)
        lines = [
            self._queued(one, number, current=tube is not None and one.id == tube.id)
            for number, one in enumerate(open_now, start=1)
        ]
        taken = (one for one in self._desk.book.all(Specimen) if one.patient_id == patient_id)
        lines += [self._on_its_way(one) for one in taken if one.state == "collected"]
        return tuple(lines)

    def _queued(self, tube: Specimen, number: int, *, current: bool) -> QueueLine:
        order = self._desk.book.get(Order, tube.order_id)
        container = Msg(f"container.{tube.container}") if tube.container else ""
        return QueueLine(
            id=tube.id,
            number=str(number),
            title=words.joined("dot", container, plan.heading(self._desk, order)),
            detail=tube.id,
            trailing=Msg("collect.now") if current else "",
            tone=Tone.ACT if current else Tone.PLAIN,
            current=current,
        )

    def _on_its_way(self, tube: Specimen) -> QueueLine:
        """A sample that was taken: by when the laboratory must have it."""
        desk, limits = self._desk, self._desk.book.policy.care.specimen
        order = desk.book.get(Order, tube.order_id)
        taken = tube.collected_at or desk.now()
        left = (taken + timedelta(minutes=limits.transport_min) - desk.now()).total_seconds() / 60
        late = specimens.transport_is_late(tube, desk.now(), limits)
        said = Msg.of("collect.late" if late else "collect.send-within", span=words.minutes(left))
        return QueueLine(
            id=tube.id,
            number="",
            title=plan.heading(desk, order),
            detail=Msg.of("collect.taken-at", time=desk.hhmm(tube.collected_at)),
            trailing=said,
            tone=Tone.BAD if late else Tone.WARN if left < limits.transport_min / 4 else Tone.OK,
        )


def _rank(tube: Specimen) -> tuple[int, str]:
    return specimens.draw_rank(tube.container), tube.id
