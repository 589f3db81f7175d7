"""The small adapters: HTTP answers, settings, sounds, battery, ids, wire."""

from __future__ import annotations

import asyncio
import threading
import wave
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

import pytest

from clinical.errors import BadInputError, ConflictError, NotFoundError, RefusedError, UnavailableError
from clinical.exchange import AlarmAcknowledged
from pda_app import wire
from pda_app.adapters.battery import SysfsBattery
from pda_app.adapters.clock import SystemClock
from pda_app.adapters.http import HttpApi
from pda_app.adapters.sound import CUES, NoSpeech, SystemSound, write_wave
from pda_app.ids import uuid7
from pda_app.ports import Cue
from pda_app.settings import load
from tests.support.handheld import NOW, alarm


class Answers(BaseHTTPRequestHandler):
    """Answers every request with the status in the badge's place of the path."""

    status, body = 200, b"{}"

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    do_POST = do_DELETE = do_GET  # noqa: N815 - the base class's words

    def log_message(self, *args: object) -> None:
        del args


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as listener:
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listener.server_port}"
        listener.shutdown()
        thread.join()


def ask(url: str) -> None:
    async def main() -> None:
        api = HttpApi(url)
        try:
            await api.changes("W1", since=0, epoch="", wait_s=0)
        finally:
            await api.close()

    asyncio.run(main())


@pytest.mark.requirement("R-PDA-72")
@pytest.mark.parametrize(
    ("status", "body", "error", "code"),
    [
        (401, b'{"code":"session"}', RefusedError, "session"),
        (401, b"", RefusedError, "sign-in"),
        (403, b'{"code":"role","params":{"a":[1]}}', RefusedError, "role"),
        (404, b"<html>", NotFoundError, "refused"),
        (409, b'{"code":"newer"}', ConflictError, "newer"),
        (410, b'{"code":"whatever"}', RefusedError, "device-wiped"),
        (422, b'{"code":"malformed"}', BadInputError, "malformed"),
        (
            429,
            b'{"code":"too-many-attempts","params":{"retry_after_s":9}}',
            RefusedError,
            "too-many-attempts",
        ),
        (500, b"boom", UnavailableError, "server-troubled"),
        (503, b'{"code":"x"}', UnavailableError, "server-troubled"),
        (200, b'{"nonsense":true}', BadInputError, "not-understood"),
        (200, b"\xff\xfe", BadInputError, "not-understood"),
    ],
)
def test_every_answer_of_a_server_becomes_an_error_a_nurse_can_act_on(
    server: str, status: int, body: bytes, error: type[Exception], code: str
) -> None:
    Answers.status, Answers.body = status, body
    with pytest.raises(error) as told:
        ask(server)
    assert told.value.code == code  # type: ignore[attr-defined]


def test_a_server_that_is_not_there_is_silent() -> None:
    with pytest.raises(UnavailableError):
        ask("http://127.0.0.1:1")


def test_a_missing_authority_file_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="authority"):
        HttpApi("https://127.0.0.1:1", tmp_path / "ca.crt")


SETTINGS = """
handheld = "pda-01"
state_dir = "{dir}"
[server]
url = "https://127.0.0.1:8443"
[security]
pin_length = 6
"""


def test_settings_come_from_file_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pda.toml"
    path.write_text(SETTINGS.format(dir=tmp_path))
    monkeypatch.setenv("WARDLINK_PDA__LOOK__LANGUAGE", "en")
    read = load(path)
    assert (read.handheld, read.look.language, read.security.lock_after_s) == ("pda-01", "en", 180)


@pytest.mark.parametrize(
    "text",
    [
        "handheld = ",
        SETTINGS + "\n[camera]\nzoom = 2",
        SETTINGS.replace("pin_length = 6", "pin_length = 2"),
        "x = 1",
    ],
)
def test_wrong_settings_name_what_is_wrong(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pda.toml"
    path.write_text(text.format(dir=tmp_path) if "{dir}" in text else text)
    with pytest.raises(BadInputError, match=r"setting|TOML"):
        load(path)
    with pytest.raises(BadInputError, match="cannot be read"):
        load(tmp_path / "none.toml")


def test_every_cue_has_a_sound_of_its_own_kind(tmp_path: Path) -> None:
    assert set(CUES) == set(Cue)
    write_wave(tmp_path / "x.wav", CUES[Cue.GIVE])
    with wave.open(str(tmp_path / "x.wav")) as file:
        assert file.getnframes() == pytest.approx(0.16 * file.getframerate(), abs=2)


def test_a_handheld_without_a_player_is_silent_and_goes_on(tmp_path: Path) -> None:
    sound = SystemSound(tmp_path, enabled=False)
    sound.play(Cue.STOP)
    sound.close()
    NoSpeech().say("停止", "zh")
    assert sound.is_silent


def test_a_player_gets_the_wave_and_the_newest_cue_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    player = tmp_path / "aplay"
    player.write_text(f'#!/bin/sh\necho "$2" >> {log}\nexec sleep 5\n')
    player.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr("pda_app.adapters.sound._PLAYERS", (("aplay", "-q"),))
    sound = SystemSound(tmp_path / "sounds")
    sound.play(Cue.GIVE)
    sound.play(Cue.STOP)
    sound.close()
    assert (tmp_path / "sounds" / "stop.wav").exists()


@pytest.mark.parametrize(("text", "percent"), [("73\n", 73), ("140", 100), ("soon", None)])
def test_the_battery_is_read_or_not_known(tmp_path: Path, text: str, percent: int | None) -> None:
    folder = tmp_path / "BAT0"
    folder.mkdir()
    (folder / "capacity").write_text(text)
    assert SysfsBattery(tmp_path).percent() == percent
    assert SysfsBattery(tmp_path / "none").percent() is None


def test_ids_sort_by_time_and_are_uuids() -> None:
    early, late = uuid7(datetime(2026, 1, 1, tzinfo=UTC)), uuid7(NOW)
    assert early < late
    assert (UUID(late).version, UUID(late).variant) == (7, "specified in RFC 4122")


def test_the_system_clock_is_aware_and_never_goes_back() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


def test_unknown_and_broken_events_are_told() -> None:
    event = AlarmAcknowledged(
        id="1", at=NOW, sent=NOW, operator="n", handheld="h", alarm_id=alarm("a", "01").id
    )
    assert wire.decode_event(wire.encode(event)) == event
    for wrong in (b'{"type":"of-the-future"}', b"[]", b"", b'{"type":"patrol"}'):
        with pytest.raises(BadInputError):
            wire.decode_event(wrong)
