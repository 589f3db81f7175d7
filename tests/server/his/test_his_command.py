from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import main
from server.his.mllp import MllpSettings, serve
from server.his.receiver import Receiver
from server.his.stand_in import StandIn

Build = Callable[..., bytes]
ROOT = Path(__file__).resolve().parents[3]


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The JSON document of a command, between the log lines of the listener in the same process."""
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("{"))
    found: dict[str, Any] = json.loads(line)
    return found


@contextmanager
def listening(handle: Callable[..., Any]) -> Iterator[int]:
    """Run a listener in a thread of its own, as the server does beside other work."""
    ready, port = threading.Event(), [0]
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def run() -> None:
        server = await serve(MllpSettings(), handle)
        port[0] = server.port
        ready.set()
        await ended.wait()
        await server.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    ready.wait(5)
    try:
        yield port[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


@pytest.mark.requirement("R-HIS-13")
def test_files_are_sent_and_the_answers_come_back_as_json(
    tmp_path: Path, receiver: Receiver, admit: Build, message: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.hl7", tmp_path / "bad.hl7"
    good.write_bytes(admit())
    bad.write_bytes(message("SIU^S12", control_id="C2", accept="AL", answer="AL"))
    with listening(receiver.handle) as port:
        assert main(["his", "send", str(good), str(bad), "--to", f"127.0.0.1:{port}", "--json"]) == 0
    report = document(capsys)
    assert (report["sent"], report["accepted"]) == (2, 1)
    assert [one["answers"][0]["code"] for one in report["messages"]] == ["AA", "CR"]
    assert report["messages"][1]["answers"][0]["error"] == "200"


@pytest.mark.parametrize(
    "asked", [("NE", "NE"), ("ER", "NE"), ("NE", "ER"), ("AL", "AL"), ("AL", "NE"), ("", "")]
)
def test_sending_waits_for_exactly_the_answers_that_are_asked_for(
    tmp_path: Path,
    receiver: Receiver,
    admit: Build,
    asked: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "one.hl7"
    file.write_bytes(admit(accept=asked[0], answer=asked[1]))
    with listening(receiver.handle) as port:
        arguments = ["his", "send", str(file), "--to", f"127.0.0.1:{port}", "--json", "--timeout", "0.5"]
        assert main(arguments) == 0
    (one,) = document(capsys)["messages"]
    expected = {("AL", "AL"): ["CA", "AA"], ("AL", "NE"): ["CA"], ("", ""): ["AA"]}.get(asked, [])
    assert [answer["code"] for answer in one["answers"]] == expected
    assert one["accepted"] is True


def test_sending_to_nobody_fails_with_a_sentence(
    tmp_path: Path, admit: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "one.hl7"
    file.write_bytes(admit())
    assert main(["his", "send", str(file), "--to", "127.0.0.1:1", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "his-unreachable"
    assert main(["his", "send", str(file), "--to", "nowhere"]) == 1
    assert main(["his", "send", str(file), "--to", "127.0.0.1:1", "--ca", "x"]) == 1


@pytest.mark.slow
def test_the_stand_in_hospital_runs_until_it_is_stopped(
    tmp_path: Path, admit: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        sys.executable,
        "-m",
        "deploy.cli",
        "his",
        "listen",
        "--json",
        "--store",
        str(tmp_path / "kept"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            file = tmp_path / "one.hl7"
            file.write_bytes(admit())
            assert main(["his", "send", str(file), "--to", f"127.0.0.1:{ready['port']}"]) == 0
            heard = json.loads(process.stdout.readline())
        finally:
            os.kill(process.pid, signal.SIGTERM)
        assert process.wait(10) == 0
    assert (heard["type"], heard["answer"], heard["bytes"]) == ("ADT^A01", "AA", len(admit()))
    assert (tmp_path / "kept" / heard["file"]).read_bytes() == admit()
    assert "AA" in capsys.readouterr().out


@pytest.mark.parametrize("drill", ["AE", "AR"])
def test_the_stand_in_hospital_refuses_on_purpose(admit: Build, drill: str) -> None:
    (frame,) = StandIn(answer=drill).handle(admit(), "")
    assert f"MSA|{drill}|C1".encode() in frame


def test_the_stand_in_hospital_answers_what_it_cannot_read() -> None:
    assert b"MSA|AR" in StandIn().handle(b"junk", "")[0]
    assert b"MSA|AR|" in StandIn().handle(b"MSH|^~\\&|A", "", too_long=True)[0]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_message_is_explained_for_people(
    tmp_path: Path, order: Build, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "one.hl7"
    file.write_bytes(order())
    assert main(["his", "explain", str(file), "--lang", language]) == 0
    out = capsys.readouterr().out
    assert {"zh": "新医嘱 O1", "en": "New order O1"}[language] in out
    assert {"zh": "给药途径", "en": "route"}[language] in out


def test_explaining_uses_the_sites_own_tables(
    tmp_path: Path, order: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    file, tables = tmp_path / "one.hl7", tmp_path / "site.toml"
    file.write_bytes(order(changes={"TQ1": "TQ1|1||F09"}))
    tables.write_text('[frequency]\n"F09" = "q8h"\n', encoding="utf-8")
    assert main(["his", "explain", str(file), "--json", "--tables", str(tables)]) == 0
    assert json.loads(capsys.readouterr().out)["effects"][0]["fields"]["frequency"] == "q8h"


@pytest.mark.parametrize("text", ["[colour]\nred = 'x'\n", "[frequency]\na = 1\n", "not toml"])
def test_wrong_mapping_tables_are_refused(tmp_path: Path, order: Build, text: str) -> None:
    file, tables = tmp_path / "one.hl7", tmp_path / "site.toml"
    file.write_bytes(order())
    tables.write_text(text, encoding="utf-8")
    assert main(["his", "explain", str(file), "--tables", str(tables)]) == 1


def test_an_unknown_zone_is_refused(tmp_path: Path, order: Build) -> None:
    file = tmp_path / "one.hl7"
    file.write_bytes(order())
    assert main(["his", "explain", str(file), "--zone", "Mars/Olympus"]) == 1
