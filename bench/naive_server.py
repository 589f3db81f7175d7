"""The server one writes first: a transaction per message. Kept as the thing ``bench path`` compares with.

The same broker, the same messages of the same contract. paho's thread calls back per message, pydantic
validates, an ORM session inserts a row per value and commits, and every screen is sent every message.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from datetime import datetime
from typing import Any

import msgspec
import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from pydantic import BaseModel
from sqlalchemy import BigInteger, Integer, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from broker.tls import client_context
from broker.topics import ROOT

Key = BigInteger().with_variant(Integer, "sqlite")


class _Value(BaseModel):
    code: str
    n: float | None
    unit: str
    validity: str = "Vld"


class _Readings(BaseModel):
    node: str
    seq: int
    id: str
    device: str
    effective: datetime
    values: list[_Value]


class _Base(DeclarativeBase):
    pass


class _Row(_Base):
    __tablename__ = "naive_values"
    n: Mapped[int] = mapped_column(Key, primary_key=True)
    device: Mapped[str] = mapped_column(index=True)
    effective: Mapped[datetime]
    code: Mapped[str]
    value: Mapped[float | None]
    unit: Mapped[str]


class _Chunk(_Base):
    __tablename__ = "naive_waves"
    n: Mapped[int] = mapped_column(Key, primary_key=True)
    device: Mapped[str] = mapped_column(index=True)
    effective: Mapped[datetime]
    code: Mapped[str]
    samples: Mapped[bytes]


def _durable(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


class NaiveServer:
    """Stores and shows one message at a time."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _durable)
        _Base.metadata.create_all(self._engine)
        self._screens: set[WebSocket] = set()
        self._loop = asyncio.get_running_loop()
        self.stored = 0

    def app(self) -> FastAPI:
        """The web part."""
        app = FastAPI()

        @app.websocket("/ws/central")
        async def central(socket: WebSocket) -> None:
            await socket.accept()
            self._screens.add(socket)
            try:
                while True:
                    await socket.receive_text()
            except WebSocketDisconnect:
                self._screens.discard(socket)

        return app

    def received(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        """Validate, store, commit, show (paho's thread)."""
        if message.topic.endswith("/up/readings"):
            self._readings(_Readings.model_validate_json(message.payload))
        elif message.topic.endswith("/up/waves"):
            self._wave(msgspec.msgpack.decode(message.payload))

    def _readings(self, said: _Readings) -> None:
        with Session(self._engine) as session:
            session.add_all(
                _Row(device=said.device, effective=said.effective, code=one.code, value=one.n, unit=one.unit)
                for one in said.values
            )
            session.commit()
        self.stored += 1
        at = said.effective.isoformat()
        rows = [[0, "vital", one.code, {"value": one.n, "effective": at}] for one in said.values]
        self._show(json.dumps({"t": "d", "d": rows}, separators=(",", ":")))

    def _wave(self, said: dict[str, Any]) -> None:
        with Session(self._engine) as session:
            row = {name: said[name] for name in ("device", "effective", "code", "samples")}
            session.add(_Chunk(**row))
            session.commit()
        self.stored += 1

    def _show(self, text: str) -> None:
        asyncio.run_coroutine_threadsafe(self._broadcast(text), self._loop)

    async def _broadcast(self, text: str) -> None:
        for screen in tuple(self._screens):
            try:
                await screen.send_text(text)
            except (RuntimeError, WebSocketDisconnect):
                self._screens.discard(screen)


async def run(said: argparse.Namespace) -> None:
    """Serve until SIGTERM."""
    server = NaiveServer(said.url)
    client = Client(
        CallbackAPIVersion.VERSION2, client_id="wardlink-server", protocol=MQTTProtocolVersion.MQTTv5
    )
    client.tls_set_context(client_context(said.ca, said.cert, said.key))
    client.on_message = server.received
    client.on_connect = lambda *_rest: client.subscribe([(f"{ROOT}/+/up/+", 1)])
    client.connect("127.0.0.1", said.mqtt_port)
    client.loop_start()
    config = uvicorn.Config(server.app(), host="127.0.0.1", port=said.port, log_level="error")
    web = uvicorn.Server(config)
    task = asyncio.create_task(web.serve())
    while not web.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.05)
    print(json.dumps({"ready": True}), flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    client.disconnect()
    client.loop_stop()
    web.should_exit = True
    await task


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser()
    for name in ("--url", "--ca", "--cert", "--key"):
        parser.add_argument(name, required=True)
    parser.add_argument("--mqtt-port", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
