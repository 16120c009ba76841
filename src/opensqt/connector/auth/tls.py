"""The server's certificate and the client authority: read, checked, and renewed without a restart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from opensqt.connector.auth.clients import loose_permissions
from opensqt.model.errors import ConfigError
from opensqt.telemetry import logging

_log = logging.get_logger("connector.tls")
_WARN_BEFORE = timedelta(days=14)


class Certificates:
    """The server's certificate, and the authority of its clients.

    Call `load` before `credentials`; each later `load` holds for the connections that are made after it.

    Args:
        certificate: PEM file, the server's own certificate first, then those that lead to its authority.
        key: PEM file of its key, without a passphrase.
        client_authority: PEM file; every client then has to show a certificate that it signed. None asks for none.
    """

    def __init__(self, certificate: Path, key: Path, client_authority: Path | None = None) -> None:
        self._certificate = certificate
        self._key = key
        self._client_authority = client_authority
        self._current: grpc.ServerCertificateConfiguration | None = None
        self._renewed: grpc.ServerCertificateConfiguration | None = None
        self._ends: datetime | None = None
        # Each handshake goes by this object's address, and grpc.aio holds no reference to it: without one it crashes.
        self._given: grpc.ServerCredentials | None = None

    @property
    def files(self) -> Sequence[Path]:
        """The files that are read."""
        return [path for path in (self._certificate, self._key, self._client_authority) if path is not None]

    def load(self) -> None:
        """Read the files again and, when all of them are right, use them.

        Raises:
            ConfigError: One is not; what was read before stays in use.
        """
        chain, key = _read(self._certificate), _read(self._key)
        ends = _check_pair(self._certificate, chain, self._key, key)
        authority = None
        if self._client_authority is not None:
            authority = _read(self._client_authority)
            _certificates(self._client_authority, authority)
        loose = loose_permissions(self._key)
        if loose:
            _log.warning("the key can be read by others", detail=loose)
        self._current = grpc.ssl_server_certificate_configuration([(key, chain)], root_certificates=authority)
        self._renewed = self._current
        self._ends = ends

    def credentials(self) -> grpc.ServerCredentials:
        """Return the credentials of a port; each handshake uses what was loaded last."""
        if self._current is None:
            raise RuntimeError("load was not called")
        self._renewed = None
        self._given = grpc.dynamic_ssl_server_credentials(
            self._current,
            self.take_renewed,  # type: ignore[arg-type] # None means no change to gRPC; the stubs lack it
            require_client_authentication=self._client_authority is not None,
        )
        return self._given

    def take_renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """Return the renewed certificate, once; None when there is no other than before."""
        # gRPC asks on threads of its own, at each handshake. What it is handed it puts in the place of what other
        # handshakes still use, without a lock: two at once end the process. So it gets each certificate once.
        renewed, self._renewed = self._renewed, None
        return renewed

    def trouble(self) -> str:
        """Return a warning that the certificate ends soon; empty if it does not."""
        if self._ends is None or self._ends - datetime.now(UTC) > _WARN_BEFORE:
            return ""
        return f"{self._certificate}: the certificate ends on {self._ends:%Y-%m-%d %H:%M} UTC; renew it"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from None


def _certificates(path: Path, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ConfigError(f"{path}: expected one or more certificates in PEM form") from None


def _check_pair(certificate: Path, chain: bytes, key_file: Path, key: bytes) -> datetime:
    """Check that key and certificate belong together and hold now; return when the certificate ends."""
    own = _certificates(certificate, chain)[0]
    try:
        public = load_pem_private_key(key, password=None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The content stays out of the error: it may be a key.
        raise ConfigError(f"{key_file}: expected a private key in PEM form, without a passphrase") from None
    if public != own.public_key():
        raise ConfigError(f"{key_file}: is not the key of the certificate in {certificate}; expected a pair")
    now = datetime.now(UTC)
    if not own.not_valid_before_utc <= now < own.not_valid_after_utc:
        raise ConfigError(
            f"{certificate}: holds from {own.not_valid_before_utc:%Y-%m-%d} to {own.not_valid_after_utc:%Y-%m-%d},"
            f" which is not now ({now:%Y-%m-%d}); renew it, or set this machine's clock"
        )
    return own.not_valid_after_utc
