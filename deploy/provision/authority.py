"""The hospital's certificate authority: an offline root, an issuing CA, short-lived leaf certificates.

Keys are ECDSA P-256, signatures SHA-256. Every certificate is valid from 24 h before it is made, since a
Raspberry Pi without a clock battery may wake up in the past. A node's common name is its whole identity:
MQTT user name, client id and topic (:mod:`broker.topics`), so it can never hold ``/``, ``+`` or ``#``.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker.topics import check_node_id
from clinical.errors import BadInputError, ConflictError, NotFoundError

BACKDATED = timedelta(hours=24)
ROOT_LIFE = timedelta(days=3650)
ISSUING_LIFE = timedelta(days=1825)
SERVER_LIFE = timedelta(days=397)
NODE_LIFE = timedelta(days=90)
CRL_LIFE = timedelta(days=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """Where one identity's files lie. The key file is readable by its owner only."""

    name: str
    certificate: Path
    key: Path
    expires: datetime


def write_private(path: Path, data: bytes) -> None:
    """Write a secret so that it is never readable by others and never half there."""
    partial = path.with_suffix(path.suffix + ".part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _name(common_name: str, organisation: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative_names(hosts: tuple[str, ...]) -> x509.SubjectAlternativeName:
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return x509.SubjectAlternativeName(names)


class Authority:
    """One directory that holds the CA: ``root.crt``, ``issuing.*``, ``ca.crt``, ``crl.pem`` and ``issued/``.

    ``root.key`` lies there after :meth:`create`; an engineer moves it to a stick and locks it away.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.chain = directory / "ca.crt"  # issuing + root: what clients and broker trust
        self.crl = directory / "crl.pem"
        self._issuing_key_file = directory / "issuing.key"
        self._issuing_file = directory / "issuing.crt"

    @classmethod
    def create(cls, directory: Path, *, organisation: str, now: datetime | None = None) -> Authority:
        """Make a new authority in an empty or missing directory.

        Raises:
            ConflictError: There is one already; a CA is never overwritten.
        """
        authority = cls(directory)
        if authority._issuing_key_file.exists():
            raise ConflictError("ca-exists", f"{directory} already holds a certificate authority; keep it")
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        at = now or datetime.now(UTC)
        root_key = ec.generate_private_key(ec.SECP256R1())
        root_name = _name("Wardlink root CA", organisation)
        root = (
            cls._builder(root_name, root_name, root_key.public_key(), at, ROOT_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(root_key, hashes.SHA256())
        )
        issuing_key = ec.generate_private_key(ec.SECP256R1())
        issuing = (
            cls._builder(
                _name("Wardlink issuing CA", organisation),
                root_name,
                issuing_key.public_key(),
                at,
                ISSUING_LIFE,
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
            )
            .sign(root_key, hashes.SHA256())
        )
        (directory / "issued").mkdir(exist_ok=True)
        write_private(directory / "root.key", _pem(root_key))
        write_private(authority._issuing_key_file, _pem(issuing_key))
        (directory / "root.crt").write_bytes(root.public_bytes(serialization.Encoding.PEM))
        authority._issuing_file.write_bytes(issuing.public_bytes(serialization.Encoding.PEM))
        authority.chain.write_bytes(
            authority._issuing_file.read_bytes() + (directory / "root.crt").read_bytes()
        )
        authority.revoke((), now=at)
        return authority

    @staticmethod
    def _builder(
        subject: x509.Name,
        issuer: x509.Name,
        public_key: ec.EllipticCurvePublicKey,
        at: datetime,
        life: timedelta,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(at - BACKDATED)
            .not_valid_after(at + life)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        )

    def _issuing(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        try:
            key = serialization.load_pem_private_key(self._issuing_key_file.read_bytes(), None)
            certificate = x509.load_pem_x509_certificate(self._issuing_file.read_bytes())
        except FileNotFoundError as error:
            raise NotFoundError(
                "no-ca",
                f"no certificate authority in {self.directory}; make one with: wardlink provision init",
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise BadInputError("ca-key", f"{self._issuing_key_file} is not an elliptic-curve key")
        return key, certificate

    def fingerprint(self) -> str:
        """SHA-256 of the root as an engineer compares it by eye: four groups of four hex digits."""
        root = x509.load_pem_x509_certificate((self.directory / "root.crt").read_bytes())
        digits = root.fingerprint(hashes.SHA256()).hex().upper()[:16]
        return "-".join(digits[start : start + 4] for start in range(0, 16, 4))

    def server(self, name: str, hosts: tuple[str, ...], *, now: datetime | None = None) -> Issued:
        """Issue a certificate for a listener (broker or web) that answers under ``hosts``."""
        return self._leaf(
            name, ExtendedKeyUsageOID.SERVER_AUTH, SERVER_LIFE, hosts=hosts, at=now or datetime.now(UTC)
        )

    def client(self, name: str, *, life: timedelta = NODE_LIFE, now: datetime | None = None) -> Issued:
        """Issue the identity of a node, or of the server towards the broker.

        Raises:
            BadInputError: The name cannot stand in a topic.
        """
        return self._leaf(
            check_node_id(name), ExtendedKeyUsageOID.CLIENT_AUTH, life, hosts=(), at=now or datetime.now(UTC)
        )

    def _leaf(
        self,
        name: str,
        purpose: x509.ObjectIdentifier,
        life: timedelta,
        *,
        hosts: tuple[str, ...],
        at: datetime,
    ) -> Issued:
        issuing_key, issuing = self._issuing()
        organisation = issuing.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._builder(_name(name, str(organisation)), issuing.subject, key.public_key(), at, life)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing_key.public_key()), critical=False
            )
        )
        if hosts:
            builder = builder.add_extension(_alternative_names(hosts), critical=False)
        certificate = builder.sign(issuing_key, hashes.SHA256())
        certificate_file = self.directory / "issued" / f"{name}.crt"
        key_file = self.directory / "issued" / f"{name}.key"
        write_private(key_file, _pem(key))
        certificate_file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM) + self._issuing_file.read_bytes()
        )
        return Issued(
            name=name,
            certificate=certificate_file,
            key=key_file,
            expires=certificate.not_valid_after_utc,
        )

    def revoke(self, names: tuple[str, ...], *, now: datetime | None = None) -> int:
        """Add certificates to the revocation list and write it anew; returns how many it holds.

        The list is replaced in one step and read back first: a broker that reloads a missing or broken
        list goes on accepting revoked nodes.

        Raises:
            NotFoundError: A name has no issued certificate here.
        """
        issuing_key, issuing = self._issuing()
        at = now or datetime.now(UTC)
        revoked = {entry.serial_number: entry.revocation_date_utc for entry in self._revoked()}
        for name in names:
            file = self.directory / "issued" / f"{name}.crt"
            if not file.exists():
                raise NotFoundError("no-certificate", f"no certificate was issued for {name}")
            revoked.setdefault(x509.load_pem_x509_certificate(file.read_bytes()).serial_number, at)
        builder = x509.CertificateRevocationListBuilder(issuing.subject, at - BACKDATED, at + CRL_LIFE)
        for serial, since in revoked.items():
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since).build()
            )
        data = builder.sign(issuing_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        if not x509.load_pem_x509_crl(data).is_signature_valid(issuing_key.public_key()):
            raise ConflictError("crl", "the new revocation list does not verify; the old one is kept")
        write_private(self.crl, data)
        self.crl.chmod(0o644)
        return len(revoked)

    def _revoked(self) -> list[x509.RevokedCertificate]:
        if not self.crl.exists():
            return []
        return list(x509.load_pem_x509_crl(self.crl.read_bytes()))
