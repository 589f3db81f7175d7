"""Names that break programs, from the hospital's message to handheld, wall and printed label."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from broker.local import free_ports
from server.his.escapes import escape
from server.his.mllp import MllpClient
from server.live.project import masked
from server.prints.symbols import read_all
from tests.server.storage.test_store import HARD_NAMES
from tests.support.server_process import WardProcess

pytestmark = [pytest.mark.requirement("R-SRV-12"), pytest.mark.hazard("H-SRV-07")]
WARD_FILE = Path(__file__).parents[1] / "data" / "ward.toml"
PLAIN = 2
"""So many of the names, the first ones, need no font that a machine may not have."""
ADMIT = (
    "MSH|^~\\&|HIS|H|WARDLINK|W1|20260504090000||ADT^A01^ADT_A01|C{n}|T|2.6||||||UNICODE UTF-8\r"
    "PID|1||900{n}^^^H^MR||{name}||19580614|M\rPV1|1|I|W1^^0{n}||||||||||||||||V900{n}\r"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WardProcess, int]]:
    port = free_ports(1)[0]
    process = WardProcess(tmp_path_factory.mktemp("names"), WARD_FILE, mqtt=f"[his]\nmllp_port = {port}")
    process.start()
    yield process, port
    assert process.stop() == 0
    assert "request-failed" not in process.log


async def admit(port: int) -> list[bytes]:
    """Send one admission a name; returns what the server answered."""
    client = MllpClient("127.0.0.1", port)
    answers = []
    for number, name in enumerate(HARD_NAMES, 1):
        await client.send(ADMIT.format(n=number, name=escape(name)).encode())
        answers.append(await client.receive())
    await client.close()
    return answers


def wall(server: WardProcess, head: dict[str, str]) -> dict[str, Any]:
    """The first whole picture of a wall screen."""
    address = server.base.replace("http", "ws") + "/ws/central"
    with connect(address, additional_headers=head) as screen:
        screen.send(json.dumps({"t": "hello", "epoch": None, "seq": 0, "lanes": False}))
        for _ in range(5):
            message = json.loads(screen.recv(5))
            if message["t"] == "snap":
                return dict(message)
    raise AssertionError("no picture came")


def test_a_hard_name_is_the_same_on_handheld_wall_and_wristband(server: tuple[WardProcess, int]) -> None:
    process, port = server
    answers = asyncio.run(admit(port))
    assert [b"MSA|AA" in one for one in answers] == [True] * len(HARD_NAMES), answers
    with process.client() as nurse:
        facts = nurse.get("/wards/W1/changes").json()["facts"]
        names = {one["mrn"]: one["name"] for one in facts["patients"]}
        assert names == {f"900{number}": name for number, name in enumerate(HARD_NAMES, 1)}
        seen = json.dumps(
            wall(process, {"authorization": nurse.headers["authorization"]}), ensure_ascii=False
        )
        shown = [json.dumps(masked(name), ensure_ascii=False) in seen for name in HARD_NAMES]
        assert shown == [True] * len(HARD_NAMES)
        for number in range(1, len(HARD_NAMES) + 1):
            assert nurse.post("/wristbands", json={"encounter_id": f"E-V900{number}"}).status_code == 201
            label = nurse.post(f"/labels/wristband/E-V900{number}", params={"format": "png"})
            if number > PLAIN and label.status_code == 422:
                assert label.json()["code"] == "glyph-missing"  # never a wristband with a box for a name
                continue
            assert label.status_code == 201, label.text
            assert [raw.split(":")[2] for raw in _symbols(label.content)] == [f"900{number}"]


def _symbols(png: bytes) -> list[str]:
    """What a scanner reads on a printed label."""
    import io

    from PIL import Image

    return sorted({str(one) for one in read_all(Image.open(io.BytesIO(png)))})
