"""A throw-away certificate authority for tests: quick, small, and able to make wrong certificates too."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    cert: Path
    key: Path
    serial: int


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


class Pki:
    """One root in one directory. ``ca_file``, ``server`` and ``client(name)`` are what a test needs."""

    def __init__(self, directory: Path, *, name: str = "Test root") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.now = datetime.now(UTC)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _name(name)
        self.ca_file = directory / "ca.crt"
        self._root = (
            self._builder(self._subject, self._key.public_key(), self.now - DAY, self.now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(ca=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file.write_bytes(self._root.public_bytes(serialization.Encoding.PEM))
        self._server: Pair | None = None

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, start: datetime, end: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )

    @property
    def server(self) -> Pair:
        """A listener's certificate for localhost and 127.0.0.1."""
        if self._server is None:
            self._server = self.leaf("localhost", file="server", listener=True)
        return self._server

    def client(self, name: str, *, expired: bool = False, early: bool = False) -> Pair:
        """A client certificate with this common name; ``early`` = not valid before tomorrow."""
        start = self.now + DAY if early else self.now - 2 * DAY
        end = self.now - DAY if expired else self.now + 7 * DAY
        return self.leaf(name, start=start, end=end)

    def leaf(
        self,
        name: str,
        *,
        file: str = "",
        listener: bool = False,
        start: datetime | None = None,
        end: datetime | None = None,
        subject: x509.Name | None = None,
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if listener else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            self._builder(
                subject if subject is not None else _name(name),
                key.public_key(),
                start or self.now - DAY,
                end or self.now + 7 * DAY,
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if listener:
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        stem = self.directory / (file or name)
        pair = Pair(stem.with_suffix(".crt"), stem.with_suffix(".key"), certificate.serial_number)
        pair.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair.key.write_bytes(_key_pem(key))
        return pair

    def crl(self, *revoked: Pair, until: datetime | None = None) -> Path:
        """Write the revocation list with these certificates and return its file."""
        end = until or self.now + 7 * DAY
        builder = x509.CertificateRevocationListBuilder(self._subject, min(self.now, end) - DAY, end)
        for pair in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(pair.serial).revocation_date(self.now).build()
            )
        file = self.directory / "crl.pem"
        file.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return file
