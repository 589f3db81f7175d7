"""The demo's people and what they do outside the handheld: signing in, preparing and checking bags."""

from __future__ import annotations

import ssl
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

import httpx2
import msgspec

from clinical.errors import UnavailableError
from clinical.exchange import Changes
from clinical.identifiers import hospital
from clinical.records import Bag

NURSE, COLLEAGUE, CHARGE_NURSE = "N20713", "N20488", "N10021"


def pins() -> Mapping[str, str]:
    """Person → PIN, from the demo's ward file; a Demo ward is the only place where a PIN may be read."""
    ward = tomllib.loads((resources.files("deploy.demo") / "ward.toml").read_text(encoding="utf-8"))
    return {person["id"]: person["pin"] for person in ward["people"]}


class Colleague:
    """One signed-in person on the server's HTTP interface."""

    def __init__(self, client: httpx2.AsyncClient, token: str) -> None:
        self._client = client
        self.token = token

    @classmethod
    async def sign_in(cls, url: str, tls: ssl.SSLContext, person: str) -> Colleague:
        """Sign in with badge and PIN."""
        client = httpx2.AsyncClient(base_url=f"{url}/api/v1", verify=tls, timeout=10)
        body = {"badge": hospital.encode("badge", person), "pin": pins()[person], "handheld": "station"}
        answer = await client.post("/sessions", json=body)
        if answer.status_code != httpx2.codes.CREATED:
            await client.aclose()
            raise UnavailableError("sign-in", f"the demo could not sign in: {answer.text[:200]}")
        token = str(answer.json()["token"])
        client.headers["Authorization"] = f"Bearer {token}"
        return cls(client, token)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._client.aclose()

    async def ask(self, method: str, path: str, **how: Any) -> Any:
        """One request; the JSON of a good answer.

        Raises:
            UnavailableError: The server refused; its problem document is in the text.
        """
        answer = await self._client.request(method, path, **how)
        if answer.is_error:
            raise UnavailableError("refused", f"{method} {path}: {answer.text[:300]}")
        return answer.json()

    async def changes(self, ward: str = "W1") -> Changes:
        """The whole picture of the ward."""
        answer = await self._client.get(f"/wards/{ward}/changes", params={"since": 0})
        return msgspec.json.decode(answer.content, type=Changes)

    async def one_time_code(self) -> str:
        """A code that signs one browser in."""
        return str((await self.ask("POST", "/sessions/one-time-codes"))["code"])

    async def prepare(self, task_id: str) -> Bag:
        """Label the bag of a task, lay its drugs out and make it up."""
        bag = msgspec.convert(await self.ask("POST", f"/tasks/{task_id}/bags"), Bag)
        await self.ask("POST", f"/bags/{bag.id}/laid")
        return msgspec.convert(await self.ask("POST", f"/bags/{bag.id}/prepared"), Bag)

    async def check(self, bag: Bag) -> Bag:
        """Check a bag that somebody else prepared."""
        how = {"unscanned": "ready-made"}
        return msgspec.convert(await self.ask("POST", f"/bags/{bag.id}/check", json=how), Bag)


async def prepare_bags(preparer: Colleague, checker: Colleague) -> dict[str, Bag]:
    """Prepare and check a bag for every waiting infusion; returns them by the hospital's order number."""
    facts = (await preparer.changes()).facts
    orders = {order.id: order for order in facts.orders if order.kind == "infusion"}
    bags: dict[str, Bag] = {}
    for task in sorted(facts.tasks, key=lambda one: (one.planned_at is None, one.planned_at)):
        order = orders.get(task.order_id)
        waiting = task.status.value in {"pending", "due", "overdue"}
        if order is not None and waiting and order.placer_id not in bags:
            bags[order.placer_id] = await checker.check(await preparer.prepare(task.id))
    return bags
