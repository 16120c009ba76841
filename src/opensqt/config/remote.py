"""How a client reaches the connector: the `exchanges.remote` section."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from opensqt.config.load import Section

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")


class RemoteSettings(Section):
    """The connector's address, and how patiently it is asked."""

    base_url: str = "localhost:50051"
    """HOST:PORT of the connector."""
    tls_ca_file: Path | None = None
    """PEM file of the authority that signed the connector's certificate; empty speaks plain text."""
    token: SecretStr = SecretStr("")
    """Sent with every call; empty sends none."""
    deadline_s: float = Field(default=10.0, gt=0, le=300)
    """Seconds that one call may take, its repeats included."""
    retry_scale: float = Field(default=1.0, ge=0, le=10)
    """Multiplies the waits between attempts (1, 2, 4 ... 60 s); tests set it near zero."""

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        match = _ADDRESS.fullmatch(value.strip())
        if match is None or not 0 < int(match[2]) < 65536:
            raise ValueError("expected HOST:PORT, such as localhost:50051")
        return value.strip()

    @field_validator("tls_ca_file", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("token", mode="before")
    @classmethod
    def _null_is_none(cls, value: object) -> object:
        # `token: ${CONNECTOR_TOKEN:-}` expands to an empty value, which YAML may give as null.
        return "" if value is None else value
