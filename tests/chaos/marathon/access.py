"""Who may do what in a marathon: a clients file with a token each, and a certificate for the connector."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from opensqt.connector.auth.clients import digest
from tests.support.authority import Authority


class Access:
    """Tokens over TLS.

    Args:
        folder: Where the files go.
        roles: `read` or `trade` by the client's name.
        limits: What a client is held to, by its name.
    """

    def __init__(self, folder: Path, roles: Mapping[str, str], limits: Mapping[str, Mapping[str, Any]]) -> None:
        self._authority = Authority(folder)
        self._server = self._authority.issue("server")
        self._tokens = {name: f"sqt_{secrets.token_urlsafe(32)}" for name in roles}
        self._file = folder / "clients.yaml"
        entries = [
            {"name": name, "role": role, "token_sha256": digest(self._tokens[name]).hex(), **limits.get(name, {})}
            for name, role in roles.items()
        ]
        self._file.write_text(yaml.safe_dump({"clients": entries}))
        self._file.chmod(0o600)

    @property
    def server(self) -> dict[str, str]:
        """The `server` section of the connector's settings."""
        return {
            "clients_file": str(self._file),
            "tls_cert_file": str(self._server.certificate),
            "tls_key_file": str(self._server.key),
        }

    def client(self, name: str) -> dict[str, Any]:
        """Fields of RemoteSettings."""
        return {"tls_ca_file": self._authority.file, "token": self._tokens[name]}
