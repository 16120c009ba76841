"""The clients file and the certificates that the settings name, kept up to date while the connector runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import grpc

from opensqt.config.connector import ConnectorServerSettings
from opensqt.connector.auth.clients import Clients, loose_permissions, read_entries
from opensqt.connector.auth.roles import Access
from opensqt.connector.auth.tls import Certificates
from opensqt.connector.reload.files import Reloads
from opensqt.model.venue import Check
from opensqt.telemetry import logging

_log = logging.get_logger("connector.identity")


class Identity:
    """The credentials of the port, and the clients that may call.

    Args:
        settings: They name the files.
    """

    def __init__(self, settings: ConnectorServerSettings) -> None:
        self._settings = settings
        self.access = Access(certificates=settings.tls_client_ca_file is not None)
        self._certificates: Certificates | None = None
        if settings.tls_cert_file is not None and settings.tls_key_file is not None:
            self._certificates = Certificates(
                settings.tls_cert_file, settings.tls_key_file, settings.tls_client_ca_file
            )

    def start(self, reloads: Reloads, changed: Callable[[], None]) -> None:
        """Read every file, and again whenever it changes.

        Args:
            reloads: Looks after the files.
            changed: Called when other clients are let in than before.

        Raises:
            ConfigError: A file can't be used.
        """
        certificates = self._certificates
        if certificates is not None:
            certificates.load()
            reloads.add("certificates", certificates.files, lambda: asyncio.to_thread(certificates.load))
        path = self._settings.clients_file
        if path is not None:
            self.access.clients = _read_clients(path)

            async def take_up() -> None:
                self.access.clients = await asyncio.to_thread(_read_clients, path)
                changed()

            reloads.add("clients", [path], take_up)

    def listen(self, server: grpc.aio.Server, address: str) -> int:
        """Open the port, with TLS if there is a certificate; return its number."""
        if self._certificates is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, self._certificates.credentials())

    def checks(self) -> list[Check]:
        """Return what needs attention before it becomes a failure."""
        trouble = self._certificates.trouble() if self._certificates is not None else ""
        return [Check(name="certificate", ok=True, reason=trouble)] if trouble else []


def _read_clients(path: Path) -> Clients:
    clients = Clients(read_entries(path))
    loose = loose_permissions(path)
    if loose:
        _log.warning("the clients file is open to others", detail=loose)
    return clients
