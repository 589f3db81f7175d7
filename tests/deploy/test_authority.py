"""The hospital's certificate authority, checked with real TLS and OpenSSL's own verifier."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from broker.acl import SERVER_USER
from clinical.errors import BadInputError, ConflictError, NotFoundError
from deploy import cli
from deploy.provision.authority import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "ca", organisation="Demo Hospital")


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> None:
    """Run one TLS handshake in memory; raises what either side raises."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    left = server.wrap_bio(to_server, to_client, server_side=True)
    right = client.wrap_bio(to_client, to_server, server_hostname=host)
    done: set[int] = set()
    for _ in range(10):
        for side in (right, left):
            if id(side) not in done:
                try:
                    side.do_handshake()
                    done.add(id(side))
                except ssl.SSLWantReadError:
                    continue
        if len(done) == 2:
            return
    raise AssertionError("the handshake did not end")


def contexts(authority: Authority, client_name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    listener = authority.server("broker", ("localhost", "127.0.0.1"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(listener.certificate, listener.key)
    server.load_verify_locations(authority.chain)
    server.verify_mode = ssl.CERT_REQUIRED
    identity = authority.client(client_name)
    client = ssl.create_default_context(cafile=str(authority.chain))
    client.load_cert_chain(identity.certificate, identity.key)
    return server, client


@pytest.mark.requirement("R-SYS-01")
def test_server_and_node_trust_each_other_through_the_authority(authority: Authority) -> None:
    server, client = contexts(authority, "wl-edge-01")
    handshake(server, client, "localhost")


@pytest.mark.requirement("R-SYS-01")
@pytest.mark.hazard("H-SYS-01")
def test_a_certificate_of_another_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    server, _ = contexts(authority, "wl-edge-01")
    rogue = Authority.create(tmp_path / "rogue", organisation="Demo Hospital")
    _, client = contexts(rogue, "wl-edge-01")
    client.load_verify_locations(authority.chain)
    with pytest.raises(ssl.SSLError, match=r"verify failed|unknown ca"):
        handshake(server, client, "localhost")


def test_the_listener_answers_only_under_its_own_names(authority: Authority) -> None:
    server, client = contexts(authority, "wl-edge-01")
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        handshake(server, client, "elsewhere.example")


def test_certificates_are_valid_for_a_board_whose_clock_is_a_day_behind(authority: Authority) -> None:
    issued = authority.client("wl-edge-01")
    assert certificate(issued.certificate).not_valid_before_utc < datetime.now(UTC) - timedelta(hours=23)
    assert issued.expires > datetime.now(UTC) + timedelta(days=89)


def test_keys_are_readable_by_their_owner_only(authority: Authority) -> None:
    issued = authority.client("wl-edge-01")
    for path in (issued.key, authority.directory / "root.key", authority.directory / "issuing.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["a/b", "+", "#", "", "x", "UPPER", "a" * 49, "-a", "a-"])
def test_a_name_that_cannot_stand_in_a_topic_gets_no_certificate(authority: Authority, name: str) -> None:
    with pytest.raises(BadInputError, match="node id"):
        authority.client(name)


def test_revoking_adds_to_the_list_and_keeps_what_was_there(authority: Authority) -> None:
    for name in ("wl-edge-01", "wl-edge-02"):
        authority.client(name)
    assert authority.revoke(("wl-edge-01",)) == 1
    assert authority.revoke(("wl-edge-02",)) == 2
    assert authority.revoke(("wl-edge-02",)) == 2
    listed = {entry.serial_number for entry in x509.load_pem_x509_crl(authority.crl.read_bytes())}
    assert listed == {
        certificate(authority.directory / "issued" / f"wl-edge-0{n}.crt").serial_number for n in (1, 2)
    }


def test_an_unknown_name_cannot_be_revoked(authority: Authority) -> None:
    with pytest.raises(NotFoundError, match="no certificate"):
        authority.revoke(("wl-edge-09",))


def test_an_authority_is_never_overwritten(authority: Authority) -> None:
    with pytest.raises(ConflictError, match="keep it"):
        Authority.create(authority.directory, organisation="Other")


def test_without_an_authority_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="wardlink provision init"):
        Authority(tmp_path).client("wl-edge-01")


def test_the_command_makes_every_identity_a_ward_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--dir", str(tmp_path / "ca")]
    assert cli.main(["provision", "init", "--hospital", "Demo", *where]) == 0
    assert cli.main(["provision", "server", "--host", "localhost", *where]) == 0
    assert cli.main(["provision", "node", "wl-edge-01", "--json", *where]) == 0
    assert cli.main(["provision", "revoke", "wl-edge-01", *where]) == 0
    assert {path.name for path in (tmp_path / "ca" / "issued").iterdir()} >= {
        "web.crt", "broker.key", f"{SERVER_USER}.crt", "wl-edge-01.key",
    }  # fmt: skip
    assert "root.key" in capsys.readouterr().out


def test_no_node_may_take_the_servers_own_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--dir", str(tmp_path / "ca")]
    cli.main(["provision", "init", "--hospital", "Demo", *where])
    assert cli.main(["provision", "node", SERVER_USER, *where]) == 1
    assert "a server's own identity" in capsys.readouterr().err
