from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import hl7
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical.errors import UnavailableError
from server.his.intake import Case
from server.his.port import AdmitPatient, Applied, MessageState
from server.his.receiver import Receiver
from tests.support.hospital import MemoryIntake, MemoryMessages, RememberedFacts

Build = Callable[..., bytes]


def answer(frames: tuple[bytes, ...], codec: str = "utf-8") -> hl7.Message:
    assert len(frames) == 1
    return hl7.parse(frames[0].decode(codec))


def verdict(frames: tuple[bytes, ...]) -> str:
    return str(answer(frames).segment("MSA")[1])


@pytest.mark.requirement("R-HIS-03")
def test_a_good_message_is_stored_applied_and_accepted(
    receiver: Receiver, store: MemoryMessages, facts: RememberedFacts, admit: Build
) -> None:
    reply = answer(receiver.handle(admit(), "10.0.0.1"))
    assert (str(reply["MSA"][0][1]), str(reply["MSA"][0][2])) == ("AA", "C1")
    assert isinstance(facts.applied[0], AdmitPatient)
    (row,) = store.rows
    assert (row.state, row.raw, row.type) == (MessageState.APPLIED, admit(), "ADT^A01")


def test_the_answer_goes_back_to_the_sender_under_its_own_addresses(receiver: Receiver, admit: Build) -> None:
    head = answer(receiver.handle(admit(), ""))["MSH"][0]
    assert [str(head[number]) for number in (3, 4, 5, 6, 9, 10, 12, 18)] == [
        "WARDLINK", "W1", "HIS", "HOSP", "ACK^A01^ACK", "W1", "2.6", "UNICODE UTF-8",
    ]  # fmt: skip


def test_the_answer_is_written_in_the_senders_characters(receiver: Receiver, admit: Build) -> None:
    (frame,) = receiver.handle(admit(charset="GB18030", codec="gb18030", sender="住院系统"), "")
    assert str(hl7.parse(frame.decode("gb18030"))["MSH"][0][5]) == "住院系统"


@pytest.mark.requirement("R-HIS-04")
@pytest.mark.hazard("H-HIS-03")
def test_the_same_message_again_is_done_once_and_answered_the_same(
    receiver: Receiver, store: MemoryMessages, facts: RememberedFacts, admit: Build
) -> None:
    first = receiver.handle(admit(), "")
    later = admit().replace(b"20261125100000", b"20261125100500")  # only the time of sending differs
    assert receiver.handle(admit(), "") == first == receiver.handle(later, "")
    assert (len(facts.applied), len(store.rows)) == (1, 1)


@pytest.mark.requirement("R-HIS-04")
@pytest.mark.hazard("H-HIS-03")
def test_another_message_under_a_used_control_id_is_rejected_and_not_swallowed(
    receiver: Receiver, store: MemoryMessages, admit: Build, order: Build
) -> None:
    receiver.handle(admit(), "")
    reply = answer(receiver.handle(order(), ""))
    assert (str(reply["MSA"][0][1]), str(reply["ERR"][0][3][0][0])) == ("AR", "205")
    assert [row.state for row in store.worklist()] == [MessageState.REJECTED]


def test_two_senders_may_use_the_same_control_id(
    receiver: Receiver, facts: RememberedFacts, admit: Build
) -> None:
    receiver.handle(admit(sender="A"), "")
    receiver.handle(admit(sender="B"), "")
    assert len(facts.applied) == 2


@pytest.mark.requirement("R-HIS-04")
def test_a_message_cut_off_by_a_crash_is_done_when_it_comes_again(
    receiver: Receiver, store: MemoryMessages, facts: RememberedFacts, admit: Build
) -> None:
    receiver.handle(admit(), "")
    store.rows[0] = replace(store.rows[0], state=MessageState.RECEIVED, ack=b"")
    assert verdict(receiver.handle(admit(), "")) == "AA"
    assert len(facts.applied) == 2  # every fact is idempotent, so doing it again is safe
    assert store.rows[0].state is MessageState.APPLIED


def test_a_refused_message_is_tried_again_when_it_comes_again(
    receiver: Receiver, store: MemoryMessages, facts: RememberedFacts, admit: Build
) -> None:
    facts.answer = Applied(ok=False, code="unmapped-bed", detail="Bed 01 is not mapped.")
    assert verdict(receiver.handle(admit(), "")) == "AE"
    facts.answer = None
    assert verdict(receiver.handle(admit(), "")) == "AA"
    assert (len(store.rows), store.worklist()) == (1, [])


@pytest.mark.parametrize(
    ("code", "hl7_code"),
    [("unmapped-drug", "103"), ("unknown-patient", "204"), ("busy", "206"), ("bed-taken", "207")],
)
@pytest.mark.requirement("R-HIS-06")
def test_what_the_ward_cannot_apply_is_an_error_with_a_sentence_on_the_worklist(
    receiver: Receiver, store: MemoryMessages, facts: RememberedFacts, admit: Build, code: str, hl7_code: str
) -> None:
    facts.answer = Applied(ok=False, code=code, detail="Map it, then send again.")
    err = answer(receiver.handle(admit(), ""))["ERR"][0]
    assert (str(err[3][0][0]), str(err[5][0][0]), str(err[8])) == (hl7_code, code, "Map it, then send again.")
    (row,) = store.worklist()
    assert (row.error_code, row.detail) == (code, "Map it, then send again.")


@pytest.mark.requirement("R-HIS-06")
@pytest.mark.hazard("H-HIS-01")
def test_a_malformed_message_never_blocks_the_next(
    receiver: Receiver, store: MemoryMessages, facts: RememberedFacts, admit: Build
) -> None:
    assert verdict(receiver.handle(b"MSH|^~\\&|HIS|H|W|1|x||ADT^A01|BAD|P|2.6\rGARBAGE\r", "")) == "AE"
    assert verdict(receiver.handle(admit(), "")) == "AA"
    assert store.counts() == {"in-error": 1, "in-applied": 1}


def test_an_unreadable_message_is_answered_with_its_own_control_id(receiver: Receiver) -> None:
    reply = answer(receiver.handle(b"MSH|^~\\&|HIS|H|W|1|x||ADT^A01|ID7|P|2.6||||||EBCDIC\r", ""))
    assert (str(reply["MSA"][0][2]), str(reply["ERR"][0][5][0][0])) == ("ID7", "charset-unknown")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"control_id": ""}, "101"), ({"version": "3.0"}, "203"), ({"processing": "X"}, "202"),
        ({"kind": "SIU^S12"}, "200"), ({"kind": "RDE^O25"}, "201"), ({"kind": ""}, "101"),
        ({"control_id": "C" * 200}, "102"),
    ],
)  # fmt: skip
@pytest.mark.requirement("R-HIS-06")
def test_a_wrong_header_is_refused_with_the_standards_code(
    receiver: Receiver, message: Build, options: dict[str, str], code: str
) -> None:
    reply = answer(receiver.handle(message(options.pop("kind", "ADT^A01"), **options), ""))
    assert str(reply["ERR"][0][3][0][0]) == code


def test_a_fault_in_the_ward_is_answered_and_never_told_in_patient_words(
    receiver: Receiver, store: MemoryMessages, facts: RememberedFacts, admit: Build
) -> None:
    facts.answer = ValueError("张三 P1")
    with structlog.testing.capture_logs() as logs:
        assert verdict(receiver.handle(admit(), "")) == "AE"
    assert "张三" not in str(logs) + store.rows[0].detail
    assert store.rows[0].error_code == "internal"


def test_when_nothing_can_be_stored_the_sender_is_told_to_try_again(receiver: Receiver, admit: Build) -> None:
    class Full:
        def take(self, case: Case) -> bytes:
            raise UnavailableError("store", f"no room for {len(case.message.raw)} bytes")

    full = replace(receiver, intake=Full())
    reply = answer(full.handle(admit(), ""))
    assert (str(reply["MSA"][0][1]), str(reply["ERR"][0][3][0][0])) == ("AE", "206")
    assert verdict(full.handle(b"junk", "")) == "AR"


def test_an_answer_is_kept_and_never_answered(
    receiver: Receiver, store: MemoryMessages, message: Build
) -> None:
    assert receiver.handle(message("ACK^A01", "MSA|AA|X1"), "") == ()
    assert store.rows[0].state is MessageState.IGNORED


def test_a_message_over_the_size_limit_is_rejected_and_nothing_of_it_is_used(
    receiver: Receiver, facts: RememberedFacts, admit: Build
) -> None:
    reply = answer(receiver.handle(admit(), "", too_long=True))
    assert (str(reply["MSA"][0][1]), str(reply["MSA"][0][2]), facts.applied) == ("AR", "C1", [])


@pytest.mark.parametrize(
    ("accept", "application", "codes"),
    [
        ("AL", "NE", ["CA"]), ("AL", "AL", ["CA", "AA"]), ("NE", "AL", ["AA"]), ("NE", "NE", []),
        ("ER", "ER", []), ("SU", "SU", ["CA", "AA"]), ("", "AL", ["AA"]),
    ],
)  # fmt: skip
@pytest.mark.requirement("R-HIS-03")
def test_enhanced_mode_gives_exactly_the_answers_that_were_asked_for(
    receiver: Receiver, admit: Build, accept: str, application: str, codes: list[str]
) -> None:
    frames = receiver.handle(admit(accept=accept, answer=application), "")
    assert [str(hl7.parse(frame.decode())["MSA"][0][1]) for frame in frames] == codes
    assert receiver.handle(admit(accept=accept, answer=application), "") == frames


@pytest.mark.parametrize(
    ("kind", "accept", "application", "codes"),
    [
        ("SIU^S12", "AL", "AL", ["CR", "AR"]), ("SIU^S12", "ER", "NE", ["CR"]),
        ("ADT^A02", "AL", "ER", ["CA", "AE"]), ("ADT^A02", "AL", "NE", ["CA"]),
    ],
)  # fmt: skip
def test_enhanced_mode_tells_rejections_at_the_door_and_errors_after_it(
    receiver: Receiver, store: MemoryMessages, message: Build, kind: str, accept: str, application: str,
    codes: list[str],
) -> None:  # fmt: skip
    frames = receiver.handle(message(kind, "PID|1||P1", accept=accept, answer=application), "")
    assert [str(hl7.parse(frame.decode())["MSA"][0][1]) for frame in frames] == codes
    assert len(store.worklist()) == 1


def test_separators_of_the_sender_are_turned_into_the_usual_ones(receiver: Receiver) -> None:
    raw = b"MSH!@%$*!HIS@1!H!W!1!20260101!!ADT@A08!C|1!P!2.6!!!!!!UNICODE UTF-8\rPID!!!P1\r"
    reply = answer(receiver.handle(raw, ""))
    assert str(reply["MSA"][0][2]) == "C\\F\\1"


MUTATED = st.tuples(st.integers(0, 400), st.integers(0, 3), st.binary(max_size=6))


@pytest.mark.requirement("R-HIS-06")
@settings(max_examples=400, deadline=None)
@given(st.lists(MUTATED, max_size=6), st.sampled_from(["admit", "order"]))
@pytest.mark.hazard("H-HIS-01")
def test_mutated_messages_are_always_answered_and_never_half_applied(
    changes: list[tuple[int, int, bytes]], which: str
) -> None:
    raw = bytearray(_SEEDS[which])
    for at, cut, new in changes:
        begin = min(at, len(raw))
        raw[begin : begin + cut] = new
    facts, store = RememberedFacts(), MemoryMessages()
    frames = Receiver(intake=MemoryIntake(facts, store)).handle(bytes(raw), "")
    (row,) = store.rows
    assert row.state is not MessageState.RECEIVED
    assert (row.state is MessageState.APPLIED) == bool(facts.applied)
    codes = [frame.split(b"\rMSA|", 1)[1][:2] for frame in frames]
    assert all(code in {b"AA", b"AE", b"AR", b"CA", b"CR"} for code in codes)


_SEEDS = {
    "admit": "MSH|^~\\&|HIS|H|W|1|20261125||ADT^A01|C1|P|2.6||||||UNICODE UTF-8\rEVN||20261125\r"
    "PID|1||P1^^^H^MR||张^三||19580614|M\rPV1|1|I|W1^^01||||||||||||||||V1\r".encode(),
    "order": "MSH|^~\\&|HIS|H|W|1|20261125||RDE^O11|C1|P|2.6||||||UNICODE UTF-8\rPID|1||P1\rORC|NW|O1\r"
    "TQ1|1||BID||||20261125\rRXE||D^头孢|2||g\rRXR|IV\r".encode(),
}


@pytest.mark.requirement("R-SRV-26")
@pytest.mark.hazard("H-SRV-12")
def test_what_is_noted_of_an_applied_message_is_kept_with_it(
    receiver: Receiver, store: MemoryMessages, facts: RememberedFacts, admit: Build
) -> None:
    facts.answer = Applied(ok=True, detail="A time was in the future.")
    assert verdict(receiver.handle(admit(), "")) == "AA"
    (row,) = store.rows
    assert (row.state, row.error_code, row.detail) == (
        MessageState.APPLIED, "", "A time was in the future.",
    )  # fmt: skip
