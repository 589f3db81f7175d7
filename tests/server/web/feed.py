"""A small server that speaks the central screen's protocol from a scenario.

It serves the product's own page and the same addresses as the ward server, so that what the page needs
from a server is written down here as something that runs, and the page can be tested without a broker.
"""

from __future__ import annotations

import asyncio
import json
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from server.nodes.routes import Node, Nodes
from server.storage.codec import to_bytes
from tests.server.web.figures import figures
from tests.server.web.handover_sheet import sheet
from tests.server.web.scenario import Json, Scenario, iso

WEB = Path(__file__).resolve().parents[3] / "server" / "web"
CSP = "default-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
COOKIE = "wardlink_session"
PERSON = {"id": "N20713", "name": "林晓燕", "name_latin": "Lin", "roles": ["nurse"], "active": True}
STATE_CREDITS = 2
FRAME_CREDITS = 10
CONFLATED = {"vital", "infusion", "bed", "health"}


class Screen:
    """One connected page, with its credits."""

    def __init__(self, socket: WebSocket, feed: Feed) -> None:
        self.socket = socket
        self.feed = feed
        self.newest: dict[tuple[str, str], list[Any]] = {}
        self.events: list[list[Any]] = []
        self.frames: deque[bytes] = deque(maxlen=max(FRAME_CREDITS, 2 * len(feed.scenario.lanes)))
        self.states = 0
        self.waves = 0
        self.beats: deque[Json] = deque(maxlen=1)
        self.wake = asyncio.Event()

    def offer(self, delta: list[Any]) -> None:
        _, kind, key, _ = delta
        if kind in CONFLATED:
            self.newest[kind, key] = delta
        else:
            self.events.append(delta)
        self.wake.set()

    async def run(self, hello: Json) -> None:
        await self.open(hello)
        while True:
            await self.wake.wait()
            self.wake.clear()
            if self.beats:
                await self.send({**self.beats.popleft(), "seq": self.feed.seq})
            if self.states < STATE_CREDITS and (self.newest or self.events):
                deltas = sorted([*self.newest.values(), *self.events], key=lambda delta: delta[0])
                self.newest, self.events = {}, []
                self.states += 1
                await self.send({"t": "d", "d": deltas, "seq": deltas[-1][0]})
            while self.frames and self.waves < FRAME_CREDITS:
                self.waves += 1
                await self.socket.send_bytes(self.frames.popleft())

    async def open(self, hello: Json) -> None:
        feed = self.feed
        missed = [delta for delta in feed.ring if delta[0] > hello["seq"]]
        self.states += 1
        if hello["epoch"] == feed.epoch and feed.ring and feed.ring[0][0] <= hello["seq"] + 1:
            feed.resumed += 1
            resume = {"t": "resume", "epoch": feed.epoch, "from": hello["seq"]}
            await self.send({**resume, "d": missed, "seq": feed.seq})
        else:
            feed.snapshots += 1
            snap = {"t": "snap", "epoch": feed.epoch, "seq": feed.seq, "now": iso(datetime.now(UTC))}
            await self.send({**snap, "s": feed.scenario.state, "lanes": feed.scenario.lanes})

    async def send(self, message: Json) -> None:
        await self.socket.send_text(json.dumps(message, ensure_ascii=False))

    async def listen(self) -> None:
        while True:
            message = await self.socket.receive_json()
            self.feed.heard[self.socket.query_params.get("screen", "")] += message["t"] == "hb"
            if message["t"] == "ack":
                self.states = max(0, self.states - message["m"])
                self.waves = max(0, self.waves - message["w"])
                self.wake.set()


class Feed:
    """The ward's state, its sequence of deltas and the pages that watch."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.epoch = "e1"
        self.seq = 1
        self.ring: deque[list[Any]] = deque(maxlen=4000)
        self.screens: set[Screen] = set()
        self.frame_seq = 0
        self.refusing = False
        self.frozen = False
        self.signed_in = True
        self.busy = True
        self.handovers: list[Json] = []
        self.nodes = a_few_nodes(datetime.now(UTC))
        self.acknowledged: list[str] = []
        self.heard: Counter[str] = Counter()  # heartbeats by the name a page gave itself
        self.resumed = 0
        self.snapshots = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        self.app = self._app()

    # --- used by tests, from their own thread
    def put(self, kind: str, key: str, value: Json | None) -> None:
        self._call(self._put, kind, key, value)

    def cut(self) -> None:
        """Close every socket and refuse new ones."""
        self.refusing = True
        self._call(self._close_all)

    def restore(self) -> None:
        self.refusing = False
        self.frozen = False

    def freeze(self) -> None:
        """Keep the sockets open but say nothing more."""
        self.frozen = True

    def _call(self, function: Callable[..., Any], *arguments: Any) -> None:
        assert self.loop is not None
        done = threading.Event()

        def run() -> None:
            function(*arguments)
            done.set()

        self.loop.call_soon_threadsafe(run)
        assert done.wait(5)

    # --- inside the loop
    def _put(self, kind: str, key: str, value: Json | None) -> None:
        collection = self.scenario.state[kind if kind in {"health", "ward"} else f"{kind}s"]
        if value is None:
            collection.pop(key, None)
        else:
            collection[key] = value
        self.seq += 1
        delta = json.loads(json.dumps([self.seq, kind, key, value]))
        self.ring.append(delta)
        for screen in self.screens:
            screen.offer(delta)

    def _close_all(self) -> None:
        for screen in list(self.screens):
            task = asyncio.ensure_future(screen.socket.close(1012))
            task.add_done_callback(lambda done: done.exception())

    async def _play(self) -> None:
        second = int(time.time())
        while True:
            await asyncio.sleep(max(0.0, second + 1 - time.time()))
            second += 1
            if self.frozen:
                continue
            now = datetime.now(UTC)
            for kind, key, value in self.scenario.advance(now):
                self._put(kind, key, value)
            for screen in self.screens:
                screen.beats.append({"t": "hb", "now": iso(now)})
                screen.wake.set()
            self._send_waves(second - 1)

    def _send_waves(self, second: int) -> None:
        self.frame_seq += 1
        for lane in self.scenario.lanes:
            if lane["bed"] in self.scenario.silent:
                continue
            samples = self.scenario.samples(lane, second)
            head = struct.pack("<BBHIdH", 1, 1, lane["id"], self.frame_seq, second * 1000.0, len(samples))
            frame = head + struct.pack(f"<{len(samples)}h", *samples)
            for screen in self.screens:
                screen.frames.append(frame)

    def _app(self) -> FastAPI:
        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            self.loop = asyncio.get_running_loop()
            playing = asyncio.create_task(self._play())
            yield
            playing.cancel()
            with suppress(asyncio.CancelledError):
                await playing

        app = FastAPI(lifespan=lifespan)
        add_routes(app, self)
        return app


def a_few_nodes(now: datetime) -> list[Node]:
    """A node of every condition the page tells apart."""

    def node(
        id_: str, state: str, *, beds: tuple[str, ...] = ("01",), waiting: int = 3, device: str = "streaming"
    ) -> Node:
        seen = None if state == "never-seen" else now - timedelta(seconds=154 if state == "offline" else 1)
        return Node(
            id=id_, ward="W1", beds=list(beds), state=state, since=seen, seen=seen, waiting=waiting,
            version="" if seen is None else "0.1.0",
            devices={} if seen is None else {"ble:c0-00-00-00-01-01": device, "serial:ox-01": "streaming"},
        )  # fmt: skip

    return [
        node("wl-edge-01", "online"),
        node("wl-edge-02", "online", beds=("02",), device="lost"),
        node("wl-edge-03", "offline", beds=("03",), waiting=1842),
        node("wl-edge-04", "online", beds=("04",), waiting=412),
        node("wl-edge-05", "never-seen", beds=("05",)),
        node("wl-edge-99", "online", beds=()),
    ]


def problem(status: int, code: str) -> JSONResponse:
    body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": code}
    return JSONResponse(body, status, media_type="application/problem+json")


def add_routes(app: FastAPI, feed: Feed) -> None:
    """Add the addresses of the ward server that the page uses."""
    add_session_routes(app)
    add_page_routes(app, feed)

    @app.middleware("http")
    async def headers(request: Request, go_on: Any) -> Response:
        answer: Response = await go_on(request)
        answer.headers["Content-Security-Policy"] = CSP
        answer.headers["Cache-Control"] = "no-cache"
        return answer

    @app.get("/api/v1/health")
    def health() -> Json:
        return {"status": "ok"}

    @app.post("/api/v1/alarms/{alarm}/acknowledge")
    async def acknowledge(alarm: str) -> Any:
        held = feed.scenario.state["alarms"].get(alarm)
        if held is None:
            return problem(404, "unknown-alarm")
        feed.acknowledged.append(alarm)
        at = iso(datetime.now(UTC))
        seen = {"acknowledged_by": PERSON["name"], "acknowledged_at": at, "signal": "acknowledged"}
        feed._put("alarm", alarm, {**held, **seen})
        return {}

    @app.websocket("/ws/central")
    async def central(socket: WebSocket) -> None:
        await watch(feed, socket)

    app.mount("/", StaticFiles(directory=WEB, html=True))


def add_page_routes(app: FastAPI, feed: Feed) -> None:
    """Add what the pages beside the wall ask for."""

    @app.get("/api/v1/wards/{ward}/statistics")
    def statistics(ward: str, since: datetime, until: datetime) -> Response:
        if ward != feed.scenario.state["ward"]["id"]:
            return problem(404, "ward")
        return Response(to_bytes(figures(since, until, busy=feed.busy)), media_type="application/json")

    @app.get("/api/v1/wards/{ward}/handover")
    def handover(ward: str, since: datetime, until: datetime) -> Response:
        return Response(to_bytes(sheet(feed.scenario, since, until)), media_type="application/json")

    @app.post("/api/v1/wards/{ward}/handover", status_code=201)
    async def give(ward: str, request: Request) -> Json:
        feed.handovers.append(await request.json())
        return {"id": feed.handovers[-1]["id"]}

    @app.get("/api/v1/nodes")
    def nodes() -> Response:
        return Response(Nodes(nodes=feed.nodes).model_dump_json(), media_type="application/json")


def add_session_routes(app: FastAPI) -> None:
    """Add signing in and out, as the ward server does it."""

    @app.get("/api/v1/me")
    def me(request: Request) -> Any:
        if COOKIE not in request.cookies:
            return problem(401, "session")
        return {"practitioner": PERSON, "ward": {}, "expires": iso(datetime.now(UTC))}

    @app.post("/api/v1/sessions/one-time", status_code=201)
    async def one_time(request: Request, response: Response) -> Any:
        if (await request.json()).get("code") != "good-code":
            return problem(401, "one-time-code")
        response.set_cookie(COOKIE, "s", httponly=True, samesite="strict", path="/")
        return {"practitioner": PERSON, "ward": {}, "expires": iso(datetime.now(UTC))}

    @app.post("/api/v1/sessions", status_code=201)
    async def sign_in(request: Request) -> Any:
        body = await request.json()
        return {"token": "t"} if body["pin"] == "2580" else problem(401, "sign-in")

    @app.post("/api/v1/sessions/one-time-codes")
    def codes(request: Request) -> Any:
        known = request.headers["authorization"] == "Bearer t"
        return {"code": "good-code"} if known else problem(401, "session")

    @app.delete("/api/v1/sessions/current", status_code=204)
    def sign_out(request: Request) -> Response:
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE, path="/")
        return answer


async def watch(feed: Feed, socket: WebSocket) -> None:
    """Serve one page until it goes."""
    if feed.refusing or COOKIE not in socket.cookies:
        await socket.close(1012 if feed.refusing else 4401)
        return
    await socket.accept()
    screen = Screen(socket, feed)
    hello = await socket.receive_json()
    if socket.query_params.get("screen", "") == "nobody":
        await socket.send_json({"t": "screen", "known": False})
    feed.screens.add(screen)
    jobs = {asyncio.create_task(screen.run(hello)), asyncio.create_task(screen.listen())}
    try:
        await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
    finally:
        feed.screens.discard(screen)
        for job in jobs:
            job.cancel()
        for outcome in await asyncio.gather(*jobs, return_exceptions=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect | RuntimeError):
                raise outcome


@contextmanager
def serving(scenario: Scenario) -> Iterator[tuple[str, Feed]]:
    """Run the feed on a free loopback port."""
    feed = Feed(scenario)
    config = uvicorn.Config(
        feed.app,
        host="127.0.0.1",
        port=0,
        log_level="warning",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline, "the feed did not start"
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", feed
    finally:
        server.should_exit = True
        thread.join(10)
