"""Settings of a connector's client: the `exchanges.remote` section."""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from opensqt.config.load import Section, load
from opensqt.model.errors import ConfigError

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_NAME = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_PREFIX = "OPENSQT__EXCHANGES__REMOTE__"
CLIENT_SHORTCUTS: Mapping[str, str] = {
    "EXCHANGE_GRPC_ADDRESS": "exchanges.remote.base_url",
    "CONNECTOR_TOKEN": "exchanges.remote.token",
}
"""The variables from which every client of a connector takes its address and its token."""


class RemoteSettings(Section):
    """The connector's address, the identity of the client, and its deadlines and retries."""

    insecure: bool = False
    """Allow the token to travel in plain text beyond loopback, where the network itself keeps strangers out."""
    base_url: str = "localhost:50051"
    """HOST:PORT of the connector."""
    tls: bool = False
    """Use TLS and trust the authorities of this system; tls_ca_file names another authority instead."""
    tls_ca_file: Path | None = None
    """PEM file of the authority that signed the connector's certificate. Implies TLS."""
    tls_key_file: Path | None = None
    """PEM file of the client certificate's key."""
    tls_cert_file: Path | None = Field(default=None, validate_default=True)
    """PEM file of a client certificate, where the connector identifies its clients by certificate."""
    token: SecretStr = SecretStr("")
    """Sent with every call; empty sends none."""
    name: str = ""
    """Name of this client at the connector where neither a token nor a certificate names it."""
    deadline_s: float = Field(default=10.0, gt=0, le=300)
    """Seconds that one call may take, its retries included."""
    attempts: int = Field(default=10, ge=1, le=10)
    """Attempts to connect, at the start and after each loss, before giving up."""
    retry_scale: float = Field(default=1.0, ge=0, le=10)
    """Multiplies the delays between attempts (1, 2, 4 ... 60 s); tests set it near zero."""

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted and the connector has to prove its identity."""
        return self.tls or self.tls_ca_file is not None

    def with_name(self, name: str) -> Self:
        """Return the same settings, with *name* where none is set."""
        return self if self.name else self.model_copy(update={"name": name})

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        match = _ADDRESS.fullmatch(value.strip())
        if match is None or not 0 < int(match[2]) < 65536:
            raise ValueError("expected HOST:PORT, such as localhost:50051")
        return value.strip()

    @field_validator("tls_ca_file", "tls_cert_file", "tls_key_file", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("tls_cert_file")
    @classmethod
    def _certificate_is_whole(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if (value is None) is not (info.data.get("tls_key_file") is None):
            raise ValueError("expected tls_cert_file and tls_key_file together")
        if value is not None and not _uses_tls(info):
            raise ValueError("a client certificate needs TLS; set tls_ca_file, or tls: true")
        return value

    @field_validator("token", mode="before")
    @classmethod
    def _null_is_none(cls, value: object) -> object:
        # `token: ${CONNECTOR_TOKEN:-}` expands to an empty value, which YAML may give as null.
        return "" if value is None else value

    @field_validator("token")
    @classmethod
    def _not_in_plain_text(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if not value.get_secret_value().isascii() or not value.get_secret_value().isprintable():
            raise ValueError("expected plain characters on one line")
        address = info.data.get("base_url")
        if not value.get_secret_value() or address is None:
            return value
        if not (_uses_tls(info) or info.data.get("insecure") or _is_loopback(address)):
            raise ValueError(
                f"it would travel to {address} in plain text; set tls_ca_file, or tls: true,"
                " or insecure: true where the network itself keeps strangers out"
            )
        return value

    @field_validator("name")
    @classmethod
    def _is_plain(cls, value: str) -> str:
        if value and not _NAME.fullmatch(value):
            raise ValueError("expected 1 to 64 letters, digits and _ . : -")
        return value


class _Exchanges(Section):
    remote: RemoteSettings = RemoteSettings()


class _Settings(Section):
    exchanges: _Exchanges = _Exchanges()


def from_environment(given: Mapping[str, Any], *, environ: Mapping[str, str] = os.environ) -> RemoteSettings:
    """Return the settings of a client that has no settings file.

    Args:
        given: Fields of `RemoteSettings`; each wins over the environment.
        environ: EXCHANGE_GRPC_ADDRESS, CONNECTOR_TOKEN (or CONNECTOR_TOKEN_FILE) and OPENSQT__EXCHANGES__REMOTE__...

    Raises:
        ConfigError: An argument or a variable can't be used.
    """
    # Other variables are those of the services; they may be set in the same shell.
    own = {key: value for key, value in environ.items() if key.startswith((_PREFIX, *CLIENT_SHORTCUTS))}

    def with_given(tree: dict[str, Any]) -> dict[str, Any]:
        below = tree.get("exchanges", {}).get("remote", {})
        return {"exchanges": {"remote": {**below, **given}}}

    return load(_Settings, None, environ=own, shortcuts=CLIENT_SHORTCUTS, prepare=with_given).exchanges.remote


def read_certificates(settings: RemoteSettings) -> tuple[bytes | None, bytes | None, bytes | None]:
    """Read the authority's file, the client's key and its certificate; None stands for one that is not set.

    Raises:
        ConfigError: One can't be read or used. Found here, it is not mistaken for an unreachable connector.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority, key, certificate = settings.tls_ca_file, settings.tls_key_file, settings.tls_cert_file
    read = _read(authority, "tls_ca_file"), _read(key, "tls_key_file"), _read(certificate, "tls_cert_file")
    if authority is not None:
        try:
            context.load_verify_locations(authority)
        except ssl.SSLError:
            raise _wrong("tls_ca_file", authority, "expected a PEM file with a certificate") from None
    if certificate is not None:
        try:
            # OpenSSL would prompt for the passphrase on the terminal otherwise.
            context.load_cert_chain(certificate, key, password="")
        except ssl.SSLError:
            wanted = f"expected a PEM file with a certificate, and in {key} its key without a passphrase"
            raise _wrong("tls_cert_file", certificate, wanted) from None
    return read


def _read(path: Path | None, field: str) -> bytes | None:
    try:
        return None if path is None else path.read_bytes()
    except OSError as error:
        raise _wrong(field, path, f"can't be read: {error.strerror}") from None


def _wrong(field: str, path: Path | None, text: str) -> ConfigError:
    return ConfigError(f"exchanges.remote.{field}: {str(path)!r}: {text}")


def _uses_tls(info: ValidationInfo) -> bool:
    return bool(info.data.get("tls")) or info.data.get("tls_ca_file") is not None


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
