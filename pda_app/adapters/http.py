"""The ward server over HTTPS: only the hospital's own authority is trusted, answers are typed."""  # noqa: A005

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from clinical.bedside_check.model import CheckRequest, Confirmation
from clinical.errors import (
    BadInputError,
    ConflictError,
    NotFoundError,
    RefusedError,
    UnavailableError,
    WardlinkError,
)
from clinical.exchange import Changes, CheckAnswer, Event, Outcome
from pda_app import wire
from pda_app.ports import SecondPin, SignedIn

_FAMILIES: dict[int, type[WardlinkError]] = {
    401: RefusedError,
    403: RefusedError,
    404: NotFoundError,
    409: ConflictError,
    410: RefusedError,
    422: BadInputError,
    429: RefusedError,
}
_CODES = {401: "sign-in", 410: "device-wiped", 429: "too-many-attempts"}


class _Problem(msgspec.Struct):
    """What of an RFC 9457 problem document the handheld acts on."""

    code: str = ""
    params: dict[str, Any] = msgspec.field(default_factory=dict)


class _Outcomes(msgspec.Struct):
    outcomes: tuple[Outcome, ...]


class _Confirmed(msgspec.Struct):
    token: str
    by: str
    purpose: str


class HttpApi:
    """Speaks ``/api/v1`` of one server.

    Args:
        base_url: ``https://host:port``.
        ca_file: The hospital's authority; nothing else is trusted. None only for a plain test listener.
        connect_s: How long a connection may take to come up.
        answer_s: How long an answer may take; long polls add their own waiting time.
    """

    def __init__(
        self, base_url: str, ca_file: Path | None = None, *, connect_s: float = 2.0, answer_s: float = 8.0
    ) -> None:
        self._answer_s = answer_s
        self._timeout = httpx2.Timeout(answer_s, connect=connect_s)
        self._client = httpx2.AsyncClient(
            base_url=f"{base_url.rstrip('/')}/api/v1",
            verify=_pinned(ca_file),
            timeout=self._timeout,
            trust_env=False,  # a proxy of the environment must never see a ward's traffic
        )
        self._token = ""

    def use(self, token: str) -> None:
        """Carry this bearer token from now on."""
        self._token = token

    async def sign_in(self, badge: str, pin: str, handheld: str) -> SignedIn:
        """Exchange badge and PIN for a session."""
        body = {"badge": badge, "pin": pin, "handheld": handheld}
        return wire.decode(await self._call("POST", "/sessions", json=body), SignedIn)

    async def sign_out(self) -> None:
        """End the session on the server."""
        await self._call("DELETE", "/sessions/current")

    async def changes(self, ward: str, *, since: int, epoch: str, wait_s: float) -> Changes:
        """Ask what changed; the server holds the answer back for up to ``wait_s``."""
        query: dict[str, str | float] = {"since": since, "epoch": epoch, "wait": wait_s}
        patience = httpx2.Timeout(self._answer_s + wait_s, connect=self._timeout.connect)
        answer = await self._call("GET", f"/wards/{ward}/changes", params=query, timeout=patience)
        return wire.decode(answer, Changes)

    async def check(self, request: CheckRequest) -> CheckAnswer:
        """Ask for the server's own verdict."""
        return wire.decode(await self._call("POST", "/checks", content=wire.encode(request)), CheckAnswer)

    async def confirm(self, second: SecondPin) -> Confirmation:
        """Exchange another person's badge and PIN for a proof that counts once."""
        made = wire.decode(
            await self._call("POST", "/confirmations", content=wire.encode(second)), _Confirmed
        )
        return Confirmation(by=made.by, purpose=made.purpose, token=made.token)

    async def send(self, events: Sequence[Event]) -> tuple[Outcome, ...]:
        """Hand over events and return one outcome each."""
        answer = await self._call("POST", "/events", content=wire.encode({"events": list(events)}))
        outcomes = wire.decode(answer, _Outcomes).outcomes
        if [outcome.event_id for outcome in outcomes] != [event.id for event in events]:
            raise BadInputError("not-understood", "the server's outcomes do not belong to the events sent")
        return outcomes

    async def close(self) -> None:
        """Give up the connections."""
        await self._client.aclose()

    async def _call(self, method: str, path: str, **options: Any) -> bytes:
        headers = {"Content-Type": "application/json"} if "content" in options else {}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            response = await self._client.request(method, path, headers=headers, **options)
        except (httpx2.TransportError, httpx2.StreamError) as error:
            raise UnavailableError(
                "server-silent", "the ward server does not answer; work goes on offline"
            ) from error
        if response.is_success:
            return response.content
        raise _as_error(response)


def _pinned(ca_file: Path | None) -> ssl.SSLContext | bool:
    """Trust the hospital's authority alone, whatever the device's own store holds.

    Raises:
        BadInputError: The file is missing or holds no certificate.
    """
    if ca_file is None:
        return True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cafile=ca_file)
    except OSError as error:
        raise BadInputError("authority", "the hospital's authority file cannot be read") from error
    return context


def _as_error(response: httpx2.Response) -> WardlinkError:
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
    except (msgspec.DecodeError, msgspec.ValidationError):
        problem = _Problem()
    status = response.status_code
    params = {name: value for name, value in problem.params.items() if isinstance(value, str | int | float)}
    if status >= 500:
        return UnavailableError("server-troubled", "the ward server cannot do it now; nothing was lost")
    family = _FAMILIES.get(status, BadInputError)
    code = "device-wiped" if status == 410 else problem.code or _CODES.get(status, "refused")
    return family(code, f"the ward server answered {status}", **params)
