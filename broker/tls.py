"""TLS for both ends of the broker: 1.2 or newer, both sides named by certificates.

A broker that refuses a client certificate under TLS 1.3 only drops the connection: the node hears
neither why nor that. So each side looks at its own files first and says what is wrong with them.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from clinical.errors import BadInputError


def _require(file: Path, what: str) -> None:
    if not file.is_file():
        raise BadInputError("tls-file-missing", f"{what} {file} is missing; make it with: wardlink provision")


def _load_chain(context: ssl.SSLContext, cert_file: Path, key_file: Path) -> None:
    _require(cert_file, "the certificate")
    _require(key_file, "the private key")
    try:
        context.load_cert_chain(cert_file, key_file)
    except ssl.SSLError as error:
        raise BadInputError(
            "tls-key-pair", f"{cert_file} and {key_file} are not a certificate and its own key in PEM form"
        ) from error


def _trust(context: ssl.SSLContext, ca_file: Path) -> None:
    _require(ca_file, "the authority's certificate")
    try:
        context.load_verify_locations(cafile=ca_file)
    except ssl.SSLError as error:
        raise BadInputError("tls-ca", f"{ca_file} holds no authority certificate in PEM form") from error


def client_context(ca_file: Path, cert_file: Path, key_file: Path) -> ssl.SSLContext:
    """Return the context of a node or of the ward server towards the broker.

    The broker's certificate must come from ``ca_file`` and carry the name that was dialled.

    Raises:
        BadInputError: A file is missing, not PEM, or key and certificate do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _trust(context, Path(ca_file))
    _load_chain(context, Path(cert_file), Path(key_file))
    return context


def server_context(
    cert_file: Path, key_file: Path, *, client_ca_file: Path | None = None, crl_file: Path | None = None
) -> ssl.SSLContext:
    """Return the context of a listener.

    Args:
        cert_file: The listener's certificate, followed by its issuer's.
        key_file: Its private key.
        client_ca_file: When given, every client must show a certificate of this authority.
        crl_file: Revoked client certificates; needs ``client_ca_file``.

    Raises:
        BadInputError: A file is missing, not PEM, or key and certificate do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_chain(context, Path(cert_file), Path(key_file))
    if client_ca_file is not None:
        _trust(context, Path(client_ca_file))
        context.verify_mode = ssl.CERT_REQUIRED
        if crl_file is not None:
            check_crl(Path(crl_file))
            context.load_verify_locations(cafile=crl_file)
            context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    return context


def check_crl(crl_file: Path, *, now: datetime | None = None) -> datetime:
    """Return until when a revocation list is good; check this before every start and reload.

    Mosquitto goes on with the list it has (or with none) when the new file is broken, and refuses every
    new connection when the list is past its date.

    Raises:
        BadInputError: Missing, not a PEM revocation list, or past its date.
    """
    _require(crl_file, "the revocation list")
    try:
        until = x509.load_pem_x509_crl(crl_file.read_bytes()).next_update_utc
    except ValueError as error:
        raise BadInputError("crl-broken", f"{crl_file} is not a revocation list in PEM form") from error
    if until is None or until <= (now or datetime.now(UTC)):
        raise BadInputError(
            "crl-expired", f"{crl_file} is past its date; write it anew with: wardlink provision revoke"
        )
    return until


def _certificates(file: Path, what: str) -> list[x509.Certificate]:
    _require(file, what)
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except ValueError as error:
        raise BadInputError("tls-certificate", f"{file} is not a certificate in PEM form") from error


def _issued_by(leaf: x509.Certificate, authorities: list[x509.Certificate]) -> bool:
    for authority in authorities:
        try:
            leaf.verify_directly_issued_by(authority)
        except (ValueError, InvalidSignature):
            continue
        return True
    return False


def check_identity(ca_file: Path, cert_file: Path, *, now: datetime | None = None) -> tuple[str, timedelta]:
    """Return the common name in a client certificate and for how long it is still good.

    Raises:
        BadInputError: Unreadable, expired, not yet valid (is this machine's clock right?), without a
            common name, or not from this authority.
    """
    leaf = _certificates(cert_file, "the certificate")[0]
    at = now or datetime.now(UTC)
    if leaf.not_valid_after_utc <= at:
        raise BadInputError(
            "certificate-expired", f"{cert_file} has expired; renew it with: wardlink provision"
        )
    if leaf.not_valid_before_utc > at:
        raise BadInputError(
            "certificate-not-yet-valid", f"{cert_file} is not valid yet; check this machine's clock"
        )
    if not _issued_by(leaf, _certificates(ca_file, "the authority's certificate")):
        raise BadInputError(
            "certificate-foreign", f"{cert_file} was not issued by the authority in {ca_file}"
        )
    names = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1:
        raise BadInputError("certificate-name", f"{cert_file} needs exactly one common name")
    return str(names[0].value), leaf.not_valid_after_utc - at
