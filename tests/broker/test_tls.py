from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509

from broker import tls
from clinical.errors import BadInputError
from tests.support.pki import Pki


def test_contexts_speak_tls_1_2_or_newer_and_check_the_other_side(pki: Pki) -> None:
    pair = pki.client("node-a")
    client = tls.client_context(pki.ca_file, pair.cert, pair.key)
    server = tls.server_context(
        pki.server.cert, pki.server.key, client_ca_file=pki.ca_file, crl_file=pki.crl()
    )
    assert client.minimum_version == server.minimum_version == ssl.TLSVersion.TLSv1_2
    assert client.check_hostname
    assert client.verify_mode == server.verify_mode == ssl.CERT_REQUIRED
    assert server.verify_flags & ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    assert tls.server_context(pki.server.cert, pki.server.key).verify_mode == ssl.CERT_NONE
    assert (
        tls.server_context(pki.server.cert, pki.server.key, client_ca_file=pki.ca_file).verify_mode
        == ssl.CERT_REQUIRED
    )


@pytest.fixture
def files(pki: Pki, tmp_path: Path) -> SimpleNamespace:
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN NOTHING-----\n")
    a, b = pki.client("node-a"), pki.client("node-b")
    return SimpleNamespace(
        ca=pki.ca_file, cert=a.cert, key=a.key, other=b.key, bad=broken, no=tmp_path / "no"
    )


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda f: tls.client_context(f.no, f.cert, f.key), "tls-file-missing"),
        (lambda f: tls.client_context(f.ca, f.no, f.key), "tls-file-missing"),
        (lambda f: tls.client_context(f.ca, f.cert, f.no), "tls-file-missing"),
        (lambda f: tls.client_context(f.bad, f.cert, f.key), "tls-ca"),
        (lambda f: tls.client_context(f.ca, f.cert, f.other), "tls-key-pair"),
        (lambda f: tls.client_context(f.ca, f.bad, f.key), "tls-key-pair"),
        (lambda f: tls.check_crl(f.bad), "crl-broken"),
        (lambda f: tls.check_crl(f.no), "tls-file-missing"),
        (lambda f: tls.check_identity(f.ca, f.bad), "tls-certificate"),
    ],
)
def test_each_unusable_file_is_named(
    files: SimpleNamespace, make: Callable[[SimpleNamespace], object], code: str
) -> None:
    with pytest.raises(BadInputError) as caught:
        make(files)
    assert caught.value.code == code


def test_a_revocation_list_says_until_when_it_is_good(pki: Pki) -> None:
    until = pki.now + timedelta(days=2)
    crl = pki.crl(until=until)
    assert tls.check_crl(crl) == until.replace(microsecond=0)
    with pytest.raises(BadInputError, match="past its date"):
        tls.check_crl(crl, now=until + timedelta(seconds=1))


@pytest.mark.requirement("R-BRK-07")
def test_a_node_can_tell_what_is_wrong_with_its_own_certificate(pki: Pki, tmp_path: Path) -> None:
    name, left = tls.check_identity(pki.ca_file, pki.client("node-a").cert)
    assert name == "node-a"
    assert timedelta(days=6) < left <= timedelta(days=7)
    nameless = pki.leaf("nameless", subject=x509.Name([]))
    foreign = Pki(tmp_path / "rogue", name="Rogue root")
    cases = {
        "certificate-expired": pki.client("node-b", expired=True).cert,
        "certificate-not-yet-valid": pki.client("node-c", early=True).cert,
        "certificate-name": nameless.cert,
        "certificate-foreign": foreign.client("node-a").cert,
    }
    for code, cert in cases.items():
        with pytest.raises(BadInputError) as caught:
            tls.check_identity(pki.ca_file, cert)
        assert caught.value.code == code
