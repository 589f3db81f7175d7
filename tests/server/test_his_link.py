"""The hospital's system as the station sees it: refused, silent, put aside; never in the clear by mistake."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.local import free_ports
from broker.tls import client_context, server_context
from clinical.errors import BadInputError, UnavailableError
from clinical.records import Alarm, AlarmPriority
from server.alarms import service as alarms
from server.his.mllp import MllpClient, MllpSettings, serve
from server.his.port import MessageState, StoredMessage
from server.his.stand_in import StandIn
from server.his_link import HospitalLink
from server.his_store import SqlMessageStore
from server.settings import His
from tests.support.pki import Pki

ADMIT = (
    "MSH|^~\\&|HIS|H|WARDLINK|W1|20260504090000||ADT^A01^ADT_A01|{control}|T|2.6||||||UNICODE UTF-8\r"
    "PID|1||9001^^^H^MR||张^三||19580614|M\rPV1|1|I|W1^^{bed}||||||||||||||||V9001\r"
)


def sounding(ward: Any) -> dict[str, str]:
    return {one.condition: one.signal for one in ward.store.picture.all(Alarm) if one.signal != "off"}


class Outgoing:
    """Messages on their way out, and what becomes of each."""

    def __init__(self, ward: Any) -> None:
        self.ward = ward
        self.messages = SqlMessageStore(ward.store)

    def queue(self, number: int) -> str:
        self.messages.enqueue(
            StoredMessage(
                id=f"m{number}", direction="out", control_id=f"C{number}", sender="W", type="RAS^O17",
                received=self.ward.clock(), state=MessageState.QUEUED, raw=b"MSH|",
            )
        )  # fmt: skip
        return f"m{number}"

    def becomes(self, message_id: str, state: MessageState) -> None:
        self.messages.attempted(message_id, state=state, ack=b"")


@pytest.fixture
def outgoing(any_ward: Any) -> Outgoing:
    return Outgoing(any_ward)


@pytest.mark.requirement("R-HIS-15")
@pytest.mark.hazard("H-HIS-07")
def test_a_refused_message_alarms_until_one_is_taken_and_somebody_has_seen_it(outgoing: Outgoing) -> None:
    ward = outgoing.ward
    outgoing.becomes(outgoing.queue(1), MessageState.REJECTED)
    alarm = next(iter(ward.store.picture.all(Alarm)))
    assert (alarm.condition, alarm.kind, alarm.priority) == (
        "his-rejected",
        "technical",
        AlarmPriority.MEDIUM,
    )
    outgoing.becomes(outgoing.queue(2), MessageState.REJECTED)
    assert len(list(ward.store.picture.all(Alarm))) == 1
    outgoing.becomes(outgoing.queue(3), MessageState.ACCEPTED)
    assert sounding(ward) == {"his-rejected": "latched"}
    ward.store.write(
        lambda unit: alarms.acknowledge(unit, unit.get(Alarm, alarm.id), "N20713", ward.clock())  # type: ignore[arg-type]
    )
    assert sounding(ward) == {}
    outgoing.becomes(outgoing.queue(4), MessageState.REJECTED)
    assert sounding(ward) == {"his-rejected": "on"}


@pytest.mark.requirement("R-HIS-15")
@pytest.mark.hazard("H-HIS-07")
def test_a_hospital_that_is_silent_for_long_alarms_until_it_takes_a_message(outgoing: Outgoing) -> None:
    ward = outgoing.ward
    first = outgoing.queue(1)
    outgoing.becomes(first, MessageState.QUEUED)
    ward.clock.move(minutes=4)
    outgoing.becomes(first, MessageState.QUEUED)
    assert sounding(ward) == {}
    ward.clock.move(minutes=2)
    outgoing.becomes(first, MessageState.QUEUED)
    outgoing.becomes(first, MessageState.QUEUED)
    assert sounding(ward) == {"his-silent": "on"}
    outgoing.becomes(first, MessageState.ACCEPTED)
    assert sounding(ward) == {}


@pytest.mark.requirement("R-HIS-16")
@pytest.mark.hazard("H-HIS-01")
def test_a_message_put_aside_is_told_once_for_each_reason_until_somebody_has_seen_it(ward: Any) -> None:
    link = HospitalLink(His(), ward.store, ward.site)
    handle: Callable[[bytes, str], Any] = link._receiver.handle
    for control in ("C1", "C2"):
        handle(ADMIT.format(control=control, bed="77").encode(), "127.0.0.1")
    assert handle(ADMIT.format(control="C3", bed="01").encode(), "127.0.0.1")
    handle(b"garbage", "127.0.0.1")
    open_ones = [one for one in ward.store.picture.all(Alarm) if one.signal != "off"]
    assert {one.condition for one in open_ones} == {"his-error"}
    assert {one.params["reason"] for one in open_ones} == {"unmapped-bed", "not-hl7"}
    assert {(one.priority, one.kind) for one in open_ones} == {(AlarmPriority.LOW, "technical")}
    for alarm in open_ones:
        ward.store.write(lambda unit, alarm=alarm: alarms.acknowledge(unit, alarm, "N20713", ward.clock()))
    assert sounding(ward) == {}
    handle(ADMIT.format(control="C4", bed="78").encode(), "127.0.0.1")
    assert sounding(ward) == {"his-error": "on"}


@pytest.mark.requirement("R-HIS-17")
@pytest.mark.hazard("H-HIS-06")
@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"send_to": "10.1.2.3:6661"}, "his-plain"),
        ({"send_to": "his.hospital.local:6661", "senders": ("10.1.2.3",)}, "his-plain"),
        ({"send_to": "10.1.2.4:6661", "senders": ("10.1.2.3",)}, "his-plain"),
        ({"send_to": "10.1.2.3"}, "his-send-to"),
        ({"send_to": "10.1.2.3:99999"}, "his-send-to"),
        ({"cert_file": Path("c.crt")}, "his-tls"),
    ],
)
def test_names_never_leave_in_the_clear_by_mistake(ward: Any, said: dict[str, Any], code: str) -> None:
    with pytest.raises(BadInputError) as caught:
        HospitalLink(His(**said), ward.store, ward.site)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "said",
    [
        {"send_to": "localhost:1"},
        {"send_to": "[::1]:1"},
        {"send_to": "10.1.2.3:6661", "senders": ("10.1.2.0/24",)},
    ],
)
def test_this_machine_and_named_addresses_may_be_plain(ward: Any, said: dict[str, Any]) -> None:
    assert HospitalLink(His(**said), ward.store, ward.site).word() == "ok"


@pytest.mark.requirement("R-HIS-17")
@pytest.mark.hazard("H-HIS-06")
def test_the_listener_speaks_tls_and_wants_a_certificate(ward: Any, tmp_path: Path) -> None:
    pki, stranger = Pki(tmp_path / "a"), Pki(tmp_path / "b", name="Stranger")
    port = free_ports(1)[0]
    his = His(mllp_port=port, ca_file=pki.ca_file, cert_file=pki.server.cert, key_file=pki.server.key)

    async def answer(pair: Any) -> str:
        tls = client_context(pki.ca_file, pair.cert, pair.key) if pair else None
        client = MllpClient("localhost", port, tls=tls, timeout_s=3)
        try:
            got = await client.exchange(ADMIT.format(control="T1", bed="01").encode())
        except UnavailableError:
            return "nothing"
        finally:
            await client.close()
        return "AA" if b"MSA|AA" in got else "?"

    async def scenario() -> list[str]:
        link = HospitalLink(his, ward.store, ward.site)
        await link.start()
        said = [await answer(pair) for pair in (pki.client("his"), stranger.client("his"), None)]
        await link.close()
        return said

    assert asyncio.run(scenario()) == ["AA", "nothing", "nothing"]


@pytest.mark.requirement("R-HIS-17")
@pytest.mark.hazard("H-HIS-06")
def test_the_sender_shows_its_certificate_and_takes_only_the_hospitals(ward: Any, tmp_path: Path) -> None:
    pki, stranger = Pki(tmp_path / "a"), Pki(tmp_path / "b", name="Stranger")
    ours = pki.client("wardlink-server")
    ward.admit("1001", "01")

    async def told(listening: Pki) -> str:
        server_tls = server_context(listening.server.cert, listening.server.key, client_ca_file=pki.ca_file)
        hospital = await serve(MllpSettings(), StandIn().handle, tls=server_tls)
        his = His(
            send_to=f"localhost:{hospital.port}", ca_file=pki.ca_file, cert_file=ours.cert, key_file=ours.key
        )
        link = HospitalLink(his, ward.store, ward.site)
        number = len(link.messages.counts()) + 1
        row = StoredMessage(
            id=f"m{number}", direction="out", control_id=f"C{number}", sender="W", type="RAS^O17",
            received=ward.clock() - timedelta(minutes=1), state=MessageState.QUEUED,
            raw=f"MSH|^~\\&|W|W|H|H|20260504||RAS^O17|C{number}|T|2.6\r".encode(),
        )  # fmt: skip
        link.messages.enqueue(row)
        sending = asyncio.create_task(link.run_sender())
        for _ in range(60):
            await asyncio.sleep(0.05)
            counts = link.messages.counts()
            if counts.get("out-accepted") or link.word() == "error":
                break
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await hospital.close()
        return "accepted" if link.messages.counts().get("out-accepted") else link.word()

    assert asyncio.run(told(stranger)) == "error"
    ward.clock.move(minutes=2)
    assert asyncio.run(told(pki)) == "accepted"
