"""The ward of a shift: the real server on a real store, a real broker, a hospital's listener, on one clock.

Nothing here sleeps the shift away: the clock is moved, the server's own ticker steps, and the next minute
begins when everything that was sent has been stored.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

from sqlalchemy import func, select

from broker.local import LocalBroker, free_ports
from broker.tls import client_context
from server import settings as server_settings
from server.his.mllp import MllpClient, MllpServer, MllpSettings, serve
from server.his.stand_in import StandIn
from server.main import WardServer
from server.opening import open_store
from server.storage import schema
from server.storage.store import Store
from server.ticker import Ticker
from tests.support.pki import Pki
from tests.support.shift_clock import ShiftClock
from tests.support.shift_hospital import Hospital
from tests.support.shift_nodes import PROBED, Bedside, oximeter, sensor
from tests.support.shift_nurse import Nurse, make
from tests.support.shift_scenario import BEDS, NURSES, TABLETS, nodes

WARD_FILE = Path(__file__).parents[1] / "data" / "ward.toml"
SENSORS = 20
CHECKER = "N10001"


class SteppedServer(WardServer):
    """The product's server whose seconds are counted by the shift instead of by sleeping."""

    ticker: Ticker

    def _jobs(self) -> dict[str, Callable[[], Awaitable[None]]]:
        jobs = super()._jobs()
        self.ticker = jobs.pop("ticker").__self__  # type: ignore[attr-defined]
        return jobs

    async def tick(self, store: Store) -> None:
        """Let the server notice what time it is."""
        await store.write_async(self.ticker.step)
        self.signal.flush()


class ShiftWard:
    """Everything that runs in a shift. Use as an asynchronous context manager."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory, self.url = directory, url or f"sqlite:///{directory / 'ward.db'}"
        self.clock = ShiftClock()
        self.bedside = Bedside(self.clock)
        self.nurses: dict[str, Nurse] = {}
        self.heard: list[dict[str, Any]] = []
        self._pki = Pki(directory / "pki")
        pair = self._pki.server
        self.broker = LocalBroker(directory / "broker", self._pki.ca_file, pair.cert, pair.key)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.broker.start)
        self._his: MllpServer = await serve(
            MllpSettings(host="127.0.0.1", port=0), StandIn(heard=self.heard.append).handle
        )
        document = server_settings.from_mapping(self._document(), self.directory)
        self.store, site = await asyncio.to_thread(open_store, document, self.clock)
        self.server = SteppedServer(document, self.store, site)
        ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._running = asyncio.create_task(self.server.run(ready.set_result))
        await self.until(ready.done, "the server should start", 60)
        addresses = ready.result()
        self.http = addresses["urls"]["http"]
        self.hospital = Hospital(MllpClient("127.0.0.1", addresses["mllp_port"]), self.clock)
        await asyncio.to_thread(self.bedside.connect, "127.0.0.1", self.broker.port, self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        for nurse in self.nurses.values():
            await nurse.app.stop()
        await asyncio.to_thread(self.bedside.stop)
        await self.hospital.client.close()
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._his.close()
        await asyncio.to_thread(self.broker.stop)

    def _tls(self, name: str) -> Any:
        pair = self._pki.client(name)
        return client_context(self._pki.ca_file, pair.cert, pair.key)

    def _document(self) -> dict[str, Any]:
        mine = self._pki.client("wardlink-server")
        (self.directory / "seed.toml").write_text(seed())
        (self.directory / "policy.toml").write_text("[flow]\nstale_s = 90.0\n")
        plain, mllp = free_ports(2)
        return {
            "server": {
                "state_dir": str(self.directory), "port": 0, "plain_port": plain, "session_h": 24,
            },
            "storage": {"url": self.url},
            "mqtt": {
                "port": self.broker.port, "ca_file": str(self._pki.ca_file), "cert_file": str(mine.cert),
                "key_file": str(mine.key), "batch_ms": 10,
            },
            "his": {"mllp_port": mllp, "send_to": f"127.0.0.1:{self._his.port}"},
            "ward": {
                "seed": str(self.directory / "seed.toml"), "policy": str(self.directory / "policy.toml"),
            },
        }  # fmt: skip

    async def nurses_come(self) -> None:
        """Both nurses sign in."""
        pins = {one["badge"]: one["pin"] for one in tomllib.loads(WARD_FILE.read_text())["people"]}
        for badge in NURSES:
            nurse = make(badge, pins[badge], self.http, self.directory, self.clock, self.cursor)
            await nurse.app.start()
            await nurse.sign_in()
            self.nurses[badge] = nurse
        self.pins = pins

    def cursor(self) -> int:
        """How far the server is."""
        return self.store.picture.cursor

    async def until(self, condition: Callable[[], Any], what: str, seconds: float = 30.0) -> None:
        """Wait for something that has been set in motion."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, what
            assert not self._running.done(), "the server has ended"
            await asyncio.sleep(0.004)

    def all_told(self) -> bool:
        """Whether the hospital has been told of every act that it has to hear of."""
        with self.store.reading() as connection:
            table = schema.administrations_to_tell
            waiting = connection.scalar(select(func.count()).where(table.c.told.is_(None)))
        return not waiting and not self.server.his.messages.due(self.clock(), limit=1)

    async def stored(self) -> None:
        """Wait until everything the bedside could send is on the server's disk."""
        if self.broker.running:
            await self.until(lambda: self.bedside.settled, "the server should acknowledge what nodes sent")

    async def minute(self) -> None:
        """A minute begins: devices measure, the server stores it and notices the time."""
        self.bedside.minute()
        await self.stored()
        await self.server.tick(self.store)


def seed() -> str:
    """A ward file for forty-four beds: the people of the test ward, its own nodes, devices and drugs."""
    people = WARD_FILE.read_text().partition("[[people]]")[2].partition("[[nodes]]")[0]
    beds = ", ".join(f'"{bed}"' for bed in BEDS)
    parts = [
        f'[ward]\nid = "W1"\nzone = "Asia/Shanghai"\ngeneration = "Demo"\nbeds = [{beds}]',
        'display = { zh = "演示病区", en = "Demo ward" }',
        f"[[people]]{people}",
    ]
    for node, served in nodes().items():
        names = ", ".join(f'"{bed}"' for bed in served)
        parts.append(f'[[nodes]]\nid = "{node}"\nbeds = [{names}]')
    parts += [_device(sensor(n), "drip-sensor", "wardlink_drip", f"D-{n:02d}") for n in range(1, SENSORS + 1)]
    parts += [
        _device(oximeter(bed), "pulse-oximeter", "nonin_oem3", f"O-{bed}", f'bed = "{bed}"') for bed in PROBED
    ]
    parts += [_product(drug, "{tablet}", "tablet", gtin(drug)) for drug in (*TABLETS, "TAB-S")]
    parts += [_product(bag, "mL", "infusion-solution", gtin(bag)) for bag in ("NS100", "NS250")]
    return "\n".join(parts) + "\n"


def _device(uid: str, kind: str, profile: str, label: str, *rest: str) -> str:
    lines = [f'id = "{uid}"', f'kind = "{kind}"', f'profile = "{profile}"', f'label = "{label}"', *rest]
    return "\n".join(["[[devices]]", *lines])


def _product(id_: str, unit: str, form: str, code: str) -> str:
    strength = f'[{{ code = "i-{id_.lower()}", display = {{ zh = "{id_}", en = "{id_}" }}, '
    strength += 'strength = { value = 10, unit = "mg" } }]'
    return (
        f'[[products]]\nid = "{id_}"\ndisplay = {{ zh = "{id_}", en = "{id_}" }}\nunit = "{unit}"\n'
        f'form = "{form}"\ngtins = ["{code}"]\ningredients = {strength}'
    )


def gtin(drug: str) -> str:
    """A GTIN-14 of the ward's own, with its check digit."""
    number = f"06901234{sum(map(ord, drug)) % 100_000:05d}"
    total = sum(int(digit) * (3 if at % 2 == 0 else 1) for at, digit in enumerate(number))
    return f"{number}{-total % 10}"


def package(drug: str) -> str:
    """What the scanner reads from a pack of this drug."""
    return f"]d201{gtin(drug)}17281231"
