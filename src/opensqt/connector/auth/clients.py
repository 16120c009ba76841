"""The clients file, and which of its clients a token or a certificate names."""

from __future__ import annotations

import hashlib
import re
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints, field_validator, model_validator

from opensqt.config.load import Section, load
from opensqt.model.errors import ConfigError, TokenRefused

NAME = r"[A-Za-z0-9_.:-]{1,64}"
"""The form of a client's name, which appears in logs, metrics and the journal."""


class Role(StrEnum):
    """What a client may do."""

    READ = "read"
    """Look at everything, change nothing."""
    TRADE = "trade"
    """Place and cancel orders, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a client's new orders; None and empty do not limit."""

    symbols: frozenset[str] = frozenset()
    max_order_notional: Decimal | None = None
    """Quote."""
    max_open_orders: int | None = None
    max_orders_per_second: float | None = None
    cancel_others: bool = True
    """Whether it may cancel orders that it did not place."""


UNLIMITED = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client, as its credential names it."""

    name: str
    role: Role
    limits: Limits = UNLIMITED


class ClientEntry(Section):
    """One client in the file."""

    name: str
    """Unique; it stands in logs, metrics and the journal."""
    role: Role
    """read or trade."""
    token_sha256: str | None = None
    """SHA-256 of the token in hex, as `opensqt token new` writes it."""
    certificate: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    """Subject common name of the client's certificate."""
    symbols: tuple[str, ...] = ()
    """The only symbols whose orders it may place and cancel; empty means all."""
    max_order_notional: Decimal | None = Field(default=None, gt=0)
    """The most that one order may be worth, quote."""
    max_open_orders: int | None = Field(default=None, ge=0)
    """The most orders that it may have open or in flight."""
    max_orders_per_second: float | None = Field(default=None, gt=0)
    """New orders a second, each item of a batch counted."""
    cancel_others: bool = True
    """Whether it may cancel orders of other clients and of people; false leaves it its own."""
    expires: AwareDatetime | None = None
    """When its credentials end; a date and time with its zone."""

    @field_validator("name")
    @classmethod
    def _is_plain(cls, value: str) -> str:
        if not re.fullmatch(NAME, value):
            raise ValueError("expected 1 to 64 letters, digits and _ . : -")
        return value

    @field_validator("token_sha256")
    @classmethod
    def _is_hash(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch("[0-9a-f]{64}", value):
            raise ValueError("expected the token's SHA-256 as 64 hex digits in small letters, never the token itself")
        return value

    @field_validator("symbols")
    @classmethod
    def _are_canonical(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = next((symbol for symbol in value if not re.fullmatch("[A-Z0-9]{2,40}", symbol)), None)
        if wrong is not None:
            raise ValueError(f"{wrong!r}: expected capital letters and digits, such as BTCUSDT")
        return value

    @field_validator("symbols", "max_order_notional", "max_open_orders", "max_orders_per_second")
    @classmethod
    def _only_for_who_trades(cls, value: object, info: object) -> object:
        if value and getattr(info, "data", {}).get("role") is Role.READ:
            raise ValueError("expected none with the role read, which places no orders and sees all symbols")
        return value

    @model_validator(mode="after")
    def _has_a_credential(self) -> ClientEntry:
        if self.token_sha256 is None and self.certificate is None:
            raise ValueError("expected token_sha256 or certificate: nothing proves who this client is")
        return self

    def as_client(self) -> Client:
        """Return the client without its credentials."""
        limits = Limits(
            symbols=frozenset(self.symbols),
            max_order_notional=self.max_order_notional,
            max_open_orders=self.max_open_orders,
            max_orders_per_second=self.max_orders_per_second,
            cancel_others=self.cancel_others,
        )
        return Client(name=self.name, role=self.role, limits=UNLIMITED if limits == UNLIMITED else limits)


class ClientsFile(Section):
    """All of it."""

    clients: tuple[ClientEntry, ...]

    @field_validator("clients")
    @classmethod
    def _nobody_twice(cls, value: tuple[ClientEntry, ...]) -> tuple[ClientEntry, ...]:
        for field in ("name", "token_sha256", "certificate"):
            seen: dict[str, str] = {}
            for entry in value:
                key = getattr(entry, field)
                if key is not None and key in seen:
                    whose = "two clients" if field == "name" else f"{seen[key]} and {entry.name}"
                    shown = "" if field == "token_sha256" else f" {key!r}"
                    raise ValueError(f"{field}{shown} is given to {whose}; expected one client for each")
                seen[key] = entry.name
        return value


@dataclass(frozen=True, slots=True)
class Credential:
    """What a client showed to prove its name."""

    token_digest: bytes | None = None
    common_name: str | None = None
    """Of a certificate that the client authority signed."""


@dataclass(frozen=True, slots=True)
class _Known:
    client: Client
    expires: float
    """UTC epoch seconds; infinite for one that stays."""


class Clients:
    """The clients of one version of the file."""

    def __init__(self, entries: Iterable[ClientEntry]) -> None:
        self._by_token: dict[bytes, _Known] = {}
        self._by_certificate: dict[str, _Known] = {}
        self._by_name: dict[str, Client] = {}
        for entry in entries:
            known = _Known(entry.as_client(), entry.expires.timestamp() if entry.expires else float("inf"))
            self._by_name[entry.name] = known.client
            if entry.token_sha256 is not None:
                self._by_token[bytes.fromhex(entry.token_sha256)] = known
            if entry.certificate is not None:
                self._by_certificate[entry.certificate] = known

    def named(self, name: str) -> Client | None:
        """Return the client of a name, as the file has it now."""
        return self._by_name.get(name)

    def identify(self, shown: Credential) -> Client:
        """Return the client of a credential.

        Raises:
            TokenRefused: Nobody's, or it has expired, or token and certificate name different clients.
        """
        known: _Known | None = None
        if shown.common_name is not None:
            known = self._by_certificate.get(shown.common_name)
            if known is None:
                raise TokenRefused("the certificate's common name is not in the connector's clients file")
        if shown.token_digest is not None:
            # Looked up by its digest: the time that takes depends on the digest, which leads to no token.
            of_token = self._by_token.get(shown.token_digest)
            if of_token is None:
                raise TokenRefused("the connector does not know this token; it was revoked or mistyped")
            if known is not None and of_token.client.name != known.client.name:
                raise TokenRefused("token and certificate name different clients; show one, or two of the same client")
            known = of_token
        if known is None:
            raise TokenRefused("no token was shown; `opensqt token new` makes one, metadata `authorization` carries it")
        if known.expires <= time.time():
            raise TokenRefused(f"client {known.client.name}: its credentials have expired; renew them")
        return known.client


def digest(token: str) -> bytes:
    """Return what the file keeps of a token.

    A plain hash is enough: a token is 256 random bits, so there is no dictionary to try and nothing to stretch.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def read_entries(path: Path) -> tuple[ClientEntry, ...]:
    """Read a clients file.

    Raises:
        ConfigError: Naming the file, the field, its value and what was expected.
    """
    try:
        path.read_bytes()
    except OSError as error:
        make = f"; `opensqt token new --clients {path}` makes it" if isinstance(error, FileNotFoundError) else ""
        raise ConfigError(f"{path}: can't be read: {error.strerror}{make}") from None
    # Not from the environment: the clients that may trade are in this file and nowhere else.
    return load(ClientsFile, path, environ={}).clients


def loose_permissions(path: Path) -> str:
    """Return what is wrong with a file's permissions if others than its owner can read or change it."""
    mode = stat.S_IMODE(path.stat().st_mode)
    return f"{path}: its mode is {mode:04o}; expected 0600, for only its owner needs it" if mode & 0o077 else ""
