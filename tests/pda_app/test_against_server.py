"""The handheld against the real ward server: TLS, real HTTP, real HL7 messages, real clocks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest

from broker.local import free_ports
from clinical.bedside_check.model import Action, CheckRequest, HandheldState, Operator, ScanMethod
from clinical.confirmation import Purpose
from clinical.errors import RefusedError, UnavailableError
from clinical.identifiers import hospital
from clinical.records import Patient, Task, Wristband
from pda_app.adapters.battery import SysfsBattery
from pda_app.adapters.clock import SystemClock
from pda_app.adapters.http import HttpApi
from pda_app.adapters.local_store import EncryptedStore
from pda_app.ports import Ports, Read, SecondPin
from pda_app.presenters.app import App
from pda_app.presenters.states import Screen
from pda_app.settings import HandheldSettings, Security, Server
from server.his.mllp import MllpClient
from server.his.samples import load
from server.his.trial import send_all
from tests.support.handheld import FakeSound, FakeSpeech
from tests.support.pki import Pki
from tests.support.server_process import WardProcess

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = ROOT / "deploy" / "demo" / "hl7"
PINS = {"N20713": "274913", "N20488": "580264", "N10021": "913572"}
NURSE, COLLEAGUE, CHECKER = PINS


class RealWard:
    """A server process with two admitted patients, an order late by more than an hour, and its bags."""

    def __init__(self, directory: Path) -> None:
        self.pki = Pki(directory / "pki")
        tls, self.mllp = free_ports(2)
        pair = self.pki.server
        listener = f'port = {tls}\ncert_file = "{pair.cert}"\nkey_file = "{pair.key}"'
        his = f"[his]\nmllp_port = {self.mllp}"
        self.process = WardProcess(
            directory / "server", ROOT / "deploy" / "demo" / "ward.toml", listener=listener, mqtt=his
        )
        self.url = f"https://127.0.0.1:{tls}"
        self.bags: dict[str, dict[str, str]] = {}

    def start(self) -> None:
        self.process.start()
        names = ("11_admit_bed_01", "12_admit_bed_02", "21_order_bed_01", "23_order_bed_02")
        asyncio.run(self._send([MESSAGES / f"{name}.hl7" for name in names]))
        with self._client(COLLEAGUE) as preparing, self._client(CHECKER) as checking:
            facts = preparing.get("/wards/W1/changes").json()["facts"]
            orders = {one["id"]: one["placer_id"] for one in facts["orders"]}
            for task in sorted(facts["tasks"], key=lambda one: one["planned_at"]):
                number = orders[task["order_id"]].split("^")[0]
                if number not in self.bags:
                    bag = preparing.post(f"/tasks/{task['id']}/bags").json()
                    for step in ("laid", "prepared"):
                        preparing.post(f"/bags/{bag['id']}/{step}").raise_for_status()
                    unscanned = {"unscanned": "no-code"}
                    checking.post(f"/bags/{bag['id']}/check", json=unscanned).raise_for_status()
                    self.bags[number] = bag
            for stay in facts["encounters"]:
                if not any(one["patient_id"] == stay["patient_id"] for one in facts["wristbands"]):
                    preparing.post("/wristbands", json={"encounter_id": stay["id"]}).raise_for_status()

    async def _send(self, files: list[Path]) -> None:
        client = MllpClient("127.0.0.1", self.mllp)
        messages = [raw for path in files for raw in load(path, now=datetime.now(UTC))]
        exchanges = await send_all(messages, client)
        await client.close()
        assert [one for one in exchanges if not one.accepted] == []

    def _client(self, badge: str) -> httpx2.Client:
        return self.process.client(badge, PINS[badge])


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealWard]:
    made = RealWard(tmp_path_factory.mktemp("ward"))
    made.start()
    try:
        yield made
    finally:
        made.process.stop()


class Hand:
    """A nurse's hand on the real handheld logic."""

    def __init__(self, directory: Path, ward: RealWard, name: str, ca_file: Path | None = None) -> None:
        trusted = ca_file or ward.pki.ca_file
        server = Server(url=ward.url, ca_file=trusted, poll_s=5)
        settings = HandheldSettings(
            handheld=name, state_dir=directory, server=server, security=Security(pin_length=6)
        )
        self.store = EncryptedStore(directory)
        ports = Ports(
            api=HttpApi(ward.url, trusted), store=self.store, clock=SystemClock(), sound=FakeSound(),
            speech=FakeSpeech(), battery=SysfsBattery(),
        )  # fmt: skip
        self.app = App(settings=settings, ports=ports)

    async def sign_in(self, badge: str) -> None:
        await self.scan(hospital.encode("badge", badge))
        for digit in PINS[badge]:
            self.app.sign_in.digit(digit)
        await self.app.settle()
        await self.until(lambda: self.app.state.screen is Screen.TODAY and bool(self.app.today.state.groups))

    async def scan(self, raw: str) -> None:
        self.app.scan(Read(raw=raw, method=ScanMethod.SCAN))
        await self.app.settle()

    def band(self, mrn: str) -> str:
        book = self.app.desk.book
        patient = next(one for one in book.all(Patient) if one.mrn == mrn)
        band = next(one for one in book.all(Wristband) if one.patient_id == patient.id and one.active)
        return hospital.encode("wristband", mrn, band.serial)

    async def until(self, condition: object, seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():  # type: ignore[operator]  # noqa: ASYNC110 - any condition
                await asyncio.sleep(0.05)

    async def kind(self, wanted: str) -> None:
        await self.until(lambda: self.app.check.state.verdict.kind == wanted)


MRN_1, MRN_2 = "P0012345678", "P0012345686"


@pytest.mark.slow
@pytest.mark.requirement("R-PDA-70")
def test_stop_check_and_give_against_the_real_server(ward: RealWard, tmp_path: Path) -> None:
    async def main() -> None:
        hand = Hand(tmp_path, ward, "pda-01")
        await hand.app.start()
        try:
            await hand.sign_in(NURSE)
            await hand.scan(hand.band(MRN_1))
            await hand.scan(hospital.encode("bag", ward.bags["O-1003"]["id"]))
            await hand.kind("stop")
            assert hand.app.check.state.banner is None
            hand.app.back()
            await hand.scan(hand.band(MRN_1))
            await hand.scan(hospital.encode("bag", ward.bags["O-1001"]["id"]))
            await hand.kind("check")
            hand.app.check.reason("ward-busy")
            await hand.app.settle()
            await hand.kind("give")
            assert hand.app.check.state.verdict.note == ""
            task_id = next(
                one.id for one in hand.app.desk.book.all(Task)
                if one.id == ward.bags["O-1001"]["task_id"]
            )  # fmt: skip
            hand.app.check.primary()
            await hand.app.settle()
            await hand.until(lambda: not hand.app.check.is_open)
            await hand.until(
                lambda: (
                    hand.app.desk.sync.counts.queued == 0
                    and any(
                        one.task_id == task_id for one in hand.app.desk.book._base["administrations"].values()
                    )
                )
            )
        finally:
            await hand.app.stop()

    asyncio.run(main())


@pytest.mark.slow
@pytest.mark.requirement("R-PDA-70")
@pytest.mark.hazard("H-PDA-01")
def test_two_nurses_on_one_task_never_both_read_give(ward: RealWard, tmp_path: Path) -> None:
    async def main() -> None:
        first, second = (
            Hand(tmp_path / "a", ward, "pda-02"),
            Hand(tmp_path / "b", ward, "pda-03"),
        )
        await asyncio.gather(first.app.start(), second.app.start())
        try:
            await first.sign_in(NURSE)
            await second.sign_in(COLLEAGUE)
            bag = hospital.encode("bag", ward.bags["O-1003"]["id"])
            for hand in (first, second):
                await hand.scan(hand.band(MRN_2))
            await asyncio.gather(first.scan(bag), second.scan(bag))
            for hand in (first, second):
                await hand.until(lambda hand=hand: hand.app.check.state.verdict.kind != "waiting")
                if hand.app.check.state.verdict.kind == "check":
                    hand.app.check.reason("clinical-judgement")
                    await hand.app.settle()
            kinds = sorted(hand.app.check.state.verdict.kind for hand in (first, second))
            assert kinds == ["give", "stop"], [hand.app.check.state.findings for hand in (first, second)]
        finally:
            await asyncio.gather(first.app.stop(), second.app.stop())

    asyncio.run(main())


@pytest.mark.slow
@pytest.mark.requirement("R-PDA-71")
def test_a_server_of_another_authority_is_not_spoken_to(ward: RealWard, tmp_path: Path) -> None:
    stranger = Pki(tmp_path / "other", name="Another root")

    async def main() -> None:
        api = HttpApi(ward.url, stranger.ca_file)
        with pytest.raises(UnavailableError):
            await api.sign_in(NURSE, PINS[NURSE], "pda-09")
        await api.close()

    asyncio.run(main())


@pytest.mark.requirement("R-SRV-35")
@pytest.mark.hazard("H-SRV-15")
def test_a_second_nurse_s_pin_becomes_a_proof_on_the_real_server(tmp_path: Path, ward: RealWard) -> None:
    async def scenario() -> None:
        api = HttpApi(ward.url, ward.pki.ca_file)
        signed = await api.sign_in(NURSE, PINS[NURSE], "pda-7")
        api.use(signed.token)
        now = datetime.now(UTC)
        request = CheckRequest(
            id="r-second", action=Action.GIVE, now=now, handheld=HandheldState(id="pda-7"),
            operator=Operator(id=NURSE, roles=("nurse",)),
        )  # fmt: skip
        wish = SecondPin(
            badge=COLLEAGUE, pin=PINS[COLLEAGUE], purpose=Purpose.BLIND_CALCULATION, request=request,
            task_id="t", codes=("MED-NOT-VERIFIED",), value=Decimal("8.4"),
        )  # fmt: skip
        proof = await api.confirm(wish)
        assert (proof.by, proof.purpose, len(proof.token) > 20) == (COLLEAGUE, "blind-calculation", True)
        assert PINS[COLLEAGUE] not in repr(wish)
        with pytest.raises(RefusedError) as raised:
            await api.confirm(replace(wish, badge=NURSE, pin=PINS[NURSE]))
        assert raised.value.code == "confirmation-self"
        with pytest.raises(RefusedError) as raised:
            await api.confirm(replace(wish, pin="000000"))
        assert raised.value.code == "sign-in"
        await api.close()

    asyncio.run(scenario())
