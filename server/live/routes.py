"""``/ws/central``: the live ward for wall screens and the nurses' station.

A wall screen that the ward has registered connects with ``?screen=ID``; it alarms when it is not heard.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from clinical.errors import RefusedError, UnavailableError, WardlinkError
from server.dependencies import check_origin, context_of, current_session
from server.live.hub import Hub, Screen
from server.live.screens import counts_as_answer
from server.people import access
from server.people.errors import SignInError
from server.people.service import READING

log = structlog.get_logger(__name__)
router = APIRouter()
HELLO_S = 5.0
RECHECK_S = 30.0
MAX_MESSAGE = 4_096
_SIGN_IN, _REFUSED, _BAD = 4401, 4403, 4400
Heard = Callable[[Mapping[str, object]], None]


def _unheard(_message: Mapping[str, object]) -> None:
    """Take no note of a screen that nobody has registered."""


@router.websocket("/ws/central")
async def central(socket: WebSocket) -> None:
    """Serve one screen; closes with 4401 when nobody is signed in, 4403 from a foreign page."""
    admitted = await _admit(socket)
    if admitted is None:
        return
    hub, ward = admitted
    try:
        async with asyncio.timeout(HELLO_S):
            hello = await _message(socket)
    except (TimeoutError, ValueError, WebSocketDisconnect):
        await _close(socket, _BAD)
        return
    if hello.get("t") != "hello":
        await _close(socket, _BAD)
        return
    screen = Screen(hub, socket, lanes=bool(hello.get("lanes", True)))
    await _serve(socket, screen, hello, ward, await _heard(socket, ward))


async def _admit(socket: WebSocket) -> tuple[Hub, str] | None:
    """Check who asks before a single byte of patient data; the close code says why not."""
    context = context_of(socket)
    try:
        session = await asyncio.to_thread(current_session, socket)
        session.require(*READING)
        if "origin" in socket.headers:
            check_origin(socket)
        asked = socket.query_params.get("ward", "")
        ward = context.site.ward(asked) if asked else access.home(context.site, session)
        session.require_ward(ward.id)
    except WardlinkError as error:
        await socket.accept()
        await socket.close(_SIGN_IN if isinstance(error, SignInError) else _REFUSED, error.code)
        return None
    await socket.accept()
    return context.hubs[ward.id], ward.id


async def _heard(socket: WebSocket, ward: str) -> Heard:
    """Return what takes note of a registered screen; a name nobody knows is told, and the ward shown."""
    name = socket.query_params.get("screen", "")
    if not name:
        return _unheard
    context = context_of(socket)
    note = context.site.screens.listener(ward, name)
    if note is None:
        log.warning("screen-unknown")
        await socket.send_json({"t": "screen", "known": False})
        return _unheard

    def heard(message: Mapping[str, object]) -> None:
        if counts_as_answer(message):
            note(context.store.clock())

    note(context.store.clock())
    return heard


async def _serve(
    socket: WebSocket, screen: Screen, hello: dict[str, Any], ward: str = "", heard: Heard = _unheard
) -> None:
    tasks = {
        asyncio.create_task(_listen(socket, screen, heard)),
        asyncio.create_task(screen.run(hello.get("epoch"), hello.get("seq", 0))),
        asyncio.create_task(_still_signed_in(socket, ward)),
    }
    done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for task in done:
        error = task.exception()
        if isinstance(error, ValueError):
            await _close(socket, _BAD)
            return
        if isinstance(error, SignInError | RefusedError):
            await _close(socket, _SIGN_IN if isinstance(error, SignInError) else _REFUSED)
            return
        # RuntimeError is starlette's word for writing to a socket whose peer has gone.
        if error is not None and not isinstance(error, WebSocketDisconnect | RuntimeError | OSError):
            raise error
    await _close(socket, 1001)


async def _still_signed_in(socket: WebSocket, ward: str) -> None:
    """End with the session: a screen that nobody is signed in on shows no patient."""
    while True:
        await asyncio.sleep(RECHECK_S)
        try:
            session = await asyncio.to_thread(current_session, socket)
        except UnavailableError:
            continue  # the store rests; the screen goes on with what it has
        session.require(*READING)
        session.require_ward(ward)


async def _listen(socket: WebSocket, screen: Screen, heard: Heard) -> None:
    while True:
        message = await _message(socket)
        heard(message)
        if message.get("t") == "ack":
            screen.acknowledged(message.get("m", 0), message.get("w", 0))


async def _message(socket: WebSocket) -> dict[str, Any]:
    packet = await socket.receive()
    if packet["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(packet.get("code", 1005))
    text = packet.get("text")
    if text is None or len(text) > MAX_MESSAGE:
        raise ValueError("a screen sends short JSON texts")
    try:
        message = json.loads(text)
    except RecursionError as error:
        raise ValueError("a screen sends flat JSON objects") from error
    if not isinstance(message, dict):
        raise ValueError("a screen sends JSON objects")  # noqa: TRY004 - one word for all that is malformed
    return message


async def _close(socket: WebSocket, code: int) -> None:
    try:
        await socket.close(code)
    except (RuntimeError, WebSocketDisconnect, OSError):
        return  # the peer closed first
